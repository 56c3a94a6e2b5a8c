#include "filter-cache.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <utility>

namespace onecycle {
namespace {

constexpr size_t large_page = size_t{2} << 20;

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
    data.reset(allocate_pages(wanted));
    if (!data) throw std::bad_alloc();
    bytes = wanted;
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

void* allocate_pages(size_t bytes) {
  const size_t line = bytes < large_page ? 64 : large_page;
  void* data = std::aligned_alloc(line, (bytes + line - 1) / line * line);
#ifdef MADV_HUGEPAGE
  // kernels walk dozens of matrices at once, which small pages make slow
  if (data && line == large_page) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
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
