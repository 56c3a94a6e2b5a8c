// The part of ONNX's schema (onnx/onnx.proto, IR version 8) that a convolutional classifier needs, and its messages
// as types. Field numbers are ONNX's.

import { parse } from 'protobufjs';

const schema = `
syntax = "proto3";
package onnx;
message AttributeProto { string name = 1; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
message NodeProto {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
  repeated AttributeProto attribute = 5;
}
message ModelProto {
  int64 ir_version = 1; string producer_name = 2;
  GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8;
  repeated StringStringEntryProto metadata_props = 14;
}
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message TypeProto { Tensor tensor_type = 1; message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; } }
message TensorShapeProto {
  repeated Dimension dim = 1;
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message StringStringEntryProto { string key = 1; string value = 2; }
`;

export type OnnxAttribute =
  | { name: string; type: typeof attributeTypes.int; i: number }
  | { name: string; type: typeof attributeTypes.ints; ints: number[] };
export type OnnxNode = {
  name: string;
  op_type: string;
  input: string[];
  output: string[];
  attribute: OnnxAttribute[];
};
export type OnnxTensor = { name: string; dims: number[]; data_type: number; raw_data: Uint8Array };
type Dimension = { dim_value: number } | { dim_param: string };
export type OnnxValueInfo = {
  name: string;
  type: { tensor_type: { elem_type: number; shape: { dim: Dimension[] } } };
};
export type OnnxModel = {
  ir_version: number;
  producer_name: string;
  opset_import: { domain: string; version: number }[];
  metadata_props: { key: string; value: string }[];
  graph: {
    name: string;
    node: OnnxNode[];
    initializer: OnnxTensor[];
    input: OnnxValueInfo[];
    output: OnnxValueInfo[];
  };
};

/** AttributeProto.AttributeType. */
export const attributeTypes = { int: 2, ints: 7 } as const;
/** TensorProto.DataType.FLOAT. */
export const floatType = 1;

const { root } = parse(schema, { keepCase: true });

/** The bytes of a .onnx file. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  return root.lookupType('onnx.ModelProto').encode(model).finish();
}
