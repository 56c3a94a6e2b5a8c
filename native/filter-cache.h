// Filters in the form that a kernel reads them in: made once for each version of the filter, so that a frozen
// one is reordered once for ever and a trained one once a step.
#pragma once
#include <cstddef>
#include <cstdint>

namespace onecycle {

/** A filter's float32 values, HWIO, who it is and which of its versions; id 0 is nobody, and never kept. */
struct Filter {
  const float* values;
  int64_t id, version;
};

/** Aligned memory that lives as long as the process and is reused from call to call; grown, never shrunk. */
void* arena(int slot, size_t bytes);
enum ArenaSlot {
  scratch_slot,
  filter_slot,
  winograd_input_slot,
  winograd_output_slot,
  winograd_gradient_slot,
  squares_slot,
  folded_filter_slot
};

/** Memory that begins on a cache line, on large pages where it is large; null where there is none. */
void* allocate_pages(size_t bytes);

/** Memory for `form` of a filter; `stale` says that it does not hold this version yet. */
void* packed_filter(const Filter&, uint64_t form, size_t bytes, bool* stale);

/** The filter is gone: so are its forms. */
void forget_filter(int64_t id);

}  // namespace onecycle
