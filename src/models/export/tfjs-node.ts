// A node of TensorFlow's GraphDef as TF.js reads it: protobuf's JSON form, where bytes are base64 and int64 are
// strings.

type Attribute =
  | { type: 'DT_FLOAT' | 'DT_INT32' }
  | { b: boolean }
  | { i: string }
  | { s: string }
  | { list: { i: string[] } | { s: string[] } }
  | { shape: { dim: { size: string }[] } };
export type GraphDefNode = {
  name: string;
  op: string;
  input: string[];
  attr: Record<string, Attribute>;
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

export const type = (name: 'DT_FLOAT' | 'DT_INT32') => ({ type: name });
export const bool = (b: boolean) => ({ b });
export const int = (value: number) => ({ i: String(value) });
export const ints = (values: number[]) => ({ list: { i: values.map(String) } });
export const string = (text: string) => ({ s: base64(text) });
export const strings = (texts: string[]) => ({ list: { s: texts.map(base64) } });
/** -1 is a free dimension. */
export const shape = (dims: number[]) => ({
  shape: { dim: dims.map((size) => ({ size: String(size) })) },
});
