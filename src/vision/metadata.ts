import sharp, { type Metadata, type Stats } from 'sharp';

/** As lenient as sharp is: what is asked for here is beside the pixels, which are decoded strictly elsewhere. */
const lenient = { limitInputPixels: false, failOn: 'none' } as const;

/** What the header of an image says; null where it cannot be read. */
export function metadataOf(bytes: Buffer): Promise<Metadata | null> {
  return sharp(bytes, lenient)
    .metadata()
    .catch(() => null);
}

/** The least and the greatest sample of each channel, as they are stored; null where they cannot be read. */
export function statsOf(bytes: Buffer): Promise<Stats | null> {
  return sharp(bytes, lenient)
    .stats()
    .catch(() => null);
}
