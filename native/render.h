// Decoded images to a normalised batch: what one image is put through, as plain numbers.
#pragma once
#include <cstdint>

#include "kernels.h"

namespace onecycle {

/** Pixels [h, w, 3]: bytes, or floats in 0..1 where `floats` is set; the other pointer is null. */
struct Picture {
  const uint8_t* bytes;
  const float* floats;
  int64_t h, w;
};

enum class Padding : uint8_t { reflection, border, zeros };

/** src/vision/transforms/plan.ts, with the identity where that has null; sizes are at least 1. */
struct RenderPlan {
  /** shrink_h is 0 where the picture is not averaged down, grid_h where pixels pass untouched. */
  int64_t shrink_h, shrink_w, grid_h, grid_w;
  double warp[8], affine[6];
  bool lit;
  double scale, shift;
  int dihedral;
  int64_t crop_row, crop_column, out_h, out_w;
  Padding padding;
};

struct ChannelStats {
  float mean[3], std[3];
};

/** [out_h, out_w, 3], (x - mean) / std of what the plan makes of the picture; stats null: as it is. */
void render(const Picture&, const RenderPlan&, const ChannelStats* stats, Buffer out);

/** Mixup of rows: y_i = lambda_i * x_i + (1 - lambda_i) * x_order[i]; x and y are of one type. */
void mix_rows(int64_t rows, int64_t width, const float* lambdas, const uint32_t* order, Buffer x, Buffer y);

}  // namespace onecycle
