/** 8-bit RGB, [h, w, 3]. */
export type DecodedImage = { pixels: Uint8Array; h: number; w: number };
