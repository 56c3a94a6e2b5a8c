import { z } from 'zod';

/** What DOS and Windows' own zip write, which WHATWG's labels leave out; every byte is a letter in them. */
export const codePages: ReadonlySet<string> = new Set([
  ...['cp437', 'cp850', 'cp852', 'cp857', 'cp860', 'cp862', 'cp863', 'cp865'],
]);

/** An encoding that an uploader may name: a WHATWG label, or a code page of DOS. */
export const EncodingLabel = z
  .string()
  .max(40)
  .refine(
    isEncoding,
    'expected a label of the WHATWG Encoding Standard, such as shift_jis, gbk or windows-1252',
  );

function isEncoding(label: string): boolean {
  if (codePages.has(label.toLowerCase())) return true;
  try {
    new TextDecoder(label);
    return true;
  } catch {
    return false;
  }
}
