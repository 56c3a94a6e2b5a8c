#include "filter-cache.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <utility>

namespace onecycle {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
struct Block {
  std::unique_ptr<void, Free> data;
  size_t bytes = 0;
  int64_t version = -1;

  void reserve(size_t wanted) {
    if (data && bytes >= wanted) return;
    data.reset();
    bytes = (wanted + 4095) / 4096 * 4096;
    data.reset(std::aligned_alloc(4096, bytes));
    if (!data) throw std::bad_alloc();
    version = -1;
  }
};

std::map<std::pair<int64_t, uint64_t>, Block>& blocks() {
  static std::map<std::pair<int64_t, uint64_t>, Block> b;
  return b;
}

}  // namespace

void* arena(int slot, size_t bytes) {
  static std::map<int, Block> slots;
  auto& block = slots[slot];
  block.reserve(bytes);
  return block.data.get();
}

void* packed_filter(const Filter& filter, uint64_t form, size_t bytes, bool* stale) {
  if (filter.id == 0) {
    *stale = true;
    return arena(filter_slot, bytes);
  }
  auto& block = blocks()[{filter.id, form}];
  block.reserve(bytes);
  *stale = block.version != filter.version;
  block.version = filter.version;
  return block.data.get();
}

void forget_filter(int64_t id) {
  auto& b = blocks();
  b.erase(b.lower_bound({id, 0}), b.lower_bound({id + 1, 0}));
}

}  // namespace onecycle
