// Numbers that numpy made: fastai's schedules leave them among an optimiser's rates. They are read as numbers
// and are no part of a model.

import { PlainState } from './pickle.ts';
import { broken, shown } from './stored-tensor.ts';

class Dtype extends PlainState {
  readonly code: string;

  constructor(code: string) {
    super();
    this.code = code;
  }
}

function dtype([code]: readonly unknown[]): Dtype {
  if (typeof code !== 'string') throw broken('The pickle has a numpy dtype without a name');
  return new Dtype(code);
}

function scalar([type, bytes]: readonly unknown[]): number | bigint | boolean {
  const data = bytes instanceof Uint8Array ? Buffer.from(bytes) : null;
  if (!(type instanceof Dtype) || data === null || data.length !== Number(type.code.slice(1))) {
    throw broken('The pickle has a numpy scalar without dtype or bytes');
  }
  switch (type.code) {
    case 'f8':
      return data.readDoubleLE();
    case 'f4':
      return data.readFloatLE();
    case 'i8':
      return data.readBigInt64LE();
    case 'i4':
      return data.readInt32LE();
    case 'b1':
      return data.readUInt8() !== 0;
    default:
      throw broken(`The pickle has a numpy scalar of dtype ${shown(type.code)}`);
  }
}

/** How protocol 2 writes bytes. */
function encode([text, encoding]: readonly unknown[]): Uint8Array {
  if (typeof text === 'string' && encoding === 'latin1') return Buffer.from(text, 'latin1');
  throw broken('The pickle encodes a text in an unknown way');
}

export const numpyGlobals: Record<string, (args: readonly unknown[]) => unknown> = {
  'numpy.dtype': dtype,
  'numpy.core.multiarray.scalar': scalar,
  'numpy._core.multiarray.scalar': scalar,
  '_codecs.encode': encode,
};
