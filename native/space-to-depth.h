// A convolution of stride 2 seen as one of stride 1: each 2x2 square of pixels becomes one pixel with four times
// the channels, and a filter of up to 8x8 taps one of 4x4 (Shi et al. 2016, arXiv:1609.07009, section 2.2).
#pragma once
#include "kernels.h"

namespace onecycle {

/** Channels that a square of pixels has here; those behind 4c are zero. */
constexpr int64_t square_channels = 16;
/** Taps along a side of the filter that squares are convolved with, two of them before the output. */
constexpr int64_t square_taps = 4;

/** Whether the convolution is one of 4x4 taps over squares. */
bool fits_squares(const ConvShape&);

/** Images [n,h,w,c] -> squares [n,oh,ow,16], channels by row, column and channel; what lies outside is zero. */
void to_squares(const ConvShape&, Buffer x, Buffer squares);

/** filter [kh,kw,c,o] -> [4,4,16,o] */
void filter_to_squares(const ConvShape&, const float* filter, float* folded);
/** The way back. */
void filter_from_squares(const ConvShape&, const float* folded, float* filter);

}  // namespace onecycle
