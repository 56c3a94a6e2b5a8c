// Python's pickle, as much of it as a state_dict needs: a small stack machine that makes dictionaries, lists,
// tuples, strings and numbers, and executes nothing. What a GLOBAL means is the caller's list; an opcode or a
// global that is not on the lists ends the reading with its name.
// (opcodes and their order of operands: CPython's Lib/pickletools.py)

import { opcodeName } from './pickle-opcodes.ts';
import { broken, shown } from './stored-tensor.ts';

/** More than ten times what the largest network with its optimiser takes; it bounds the memory too. */
const opcodesMax = 500_000;
const integerBytesMax = 16;

/** What stands for a Python function or class; `call` is what REDUCE does with it, where it may. */
export type PickleGlobal = { global: string; call?: (args: readonly unknown[]) => unknown };
export type PickleKnows = {
  globals: ReadonlyMap<string, PickleGlobal>;
  /** What BINPERSID stands for. */
  persistent?: (id: unknown) => unknown;
};

const hint =
  'A weights file is a state_dict: torch.save(model.state_dict(), path), or fastai’s learn.save(name, with_opt=False).';

/**
 * The value that begins at `begin`, and where it ends. A dictionary is a Map, a tuple a frozen array.
 * @throws Problem `weights_invalid` that names the opcode or the global
 */
export function readPickle(
  bytes: Uint8Array,
  begin: number,
  knows: PickleKnows,
): { value: unknown; end: number } {
  const machine = new Machine(bytes, begin, knows);
  for (let count = 0; ; count++) {
    if (count === opcodesMax) throw broken(`The pickle has more than ${opcodesMax} opcodes`);
    const code = machine.unsigned(1);
    if (code === stop) return { value: machine.pop(), end: machine.at };
    const operation = operations[code];
    if (!operation) {
      throw broken(`The pickle has the opcode ${opcodeName(code)}, which is not executed here`, {
        hint,
      });
    }
    operation(machine);
  }
}

const stop = 0x2e;

const operations: Record<number, (machine: Machine) => void> = {
  128: (m) => m.protocol(m.unsigned(1)), // PROTO
  149: (m) => void m.take(8), // FRAME
  40: (m) => m.mark(),
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  74: (m) => m.push(m.take(4).readInt32LE()), // BININT
  75: (m) => m.push(m.unsigned(1)), // BININT1
  77: (m) => m.push(m.unsigned(2)), // BININT2
  138: (m) => m.push(m.long(m.unsigned(1))), // LONG1
  71: (m) => m.push(m.take(8).readDoubleBE()), // BINFLOAT
  88: (m) => m.push(m.text(m.unsigned(4))), // BINUNICODE
  140: (m) => m.push(m.text(m.unsigned(1))), // SHORT_BINUNICODE
  84: (m) => m.push(m.text(m.unsigned(4))), // BINSTRING, of Python 2
  85: (m) => m.push(m.text(m.unsigned(1))), // SHORT_BINSTRING, of Python 2
  66: (m) => m.push(m.take(m.unsigned(4))), // BINBYTES
  67: (m) => m.push(m.take(m.unsigned(1))), // SHORT_BINBYTES
  41: (m) => m.push(Object.freeze([])), // EMPTY_TUPLE
  133: (m) => m.push(m.tuple(1)), // TUPLE1
  134: (m) => m.push(m.tuple(2)), // TUPLE2
  135: (m) => m.push(m.tuple(3)), // TUPLE3
  116: (m) => m.push(Object.freeze(m.popMark())), // TUPLE
  93: (m) => m.push([]), // EMPTY_LIST
  97: (m) => m.append([m.pop()]), // APPEND
  101: (m) => m.append(m.popMark()), // APPENDS
  125: (m) => m.push(new Map()), // EMPTY_DICT
  115: (m) => m.setItems([...m.tuple(2)]), // SETITEM
  117: (m) => m.setItems(m.popMark()), // SETITEMS
  104: (m) => m.push(m.recall(m.unsigned(1))), // BINGET
  106: (m) => m.push(m.recall(m.unsigned(4))), // LONG_BINGET
  113: (m) => m.memorise(m.unsigned(1)), // BINPUT
  114: (m) => m.memorise(m.unsigned(4)), // LONG_BINPUT
  148: (m) => m.memorise(null), // MEMOIZE
  99: (m) => m.push(m.global(m.line(), m.line())), // GLOBAL
  147: (m) => m.stackGlobal(),
  82: (m) => m.reduce(),
  98: (m) => m.build(),
  81: (m) => m.push(m.persistent(m.pop())), // BINPERSID
};

const markObject = Symbol('mark');

class Machine {
  at: number;
  private readonly bytes: Buffer;
  private readonly knows: PickleKnows;
  private readonly stack: unknown[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, begin: number, knows: PickleKnows) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = begin;
    this.knows = knows;
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw broken('The pickle is cut off');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  unsigned(length: number): number {
    return this.take(length).readUIntLE(0, length);
  }

  /** An integer of `length` bytes, little-endian, two's complement; a bigint where a number is too small. */
  long(length: number): number | bigint {
    if (length > integerBytesMax) throw broken(`The pickle has an integer of ${length} bytes`);
    const bytes = this.take(length);
    let value = 0n;
    for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  text(length: number): string {
    return this.take(length).toString('utf8');
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0 || end - this.at > 1000) throw broken('The pickle names no global behind GLOBAL');
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }

  protocol(version: number): void {
    if (version < 2 || version > 5)
      throw broken(`The pickle has protocol ${version}, expected 2..5`);
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length === 0 || this.top() === markObject)
      throw broken('The pickle’s stack is empty');
    return this.stack.pop();
  }

  mark(): void {
    this.marks.push(this.stack.length);
    this.stack.push(markObject);
  }

  popMark(): unknown[] {
    const from = this.marks.pop();
    if (from === undefined) throw broken('The pickle has no mark where one is needed');
    return this.stack.splice(from).slice(1);
  }

  tuple(length: number): readonly unknown[] {
    const items = Array.from({ length }, () => this.pop());
    return Object.freeze(items.reverse());
  }

  append(items: unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list) || Object.isFrozen(list))
      throw broken('The pickle appends to no list');
    for (const item of items) list.push(item);
  }

  setItems(pairs: unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map) || pairs.length % 2 === 1) {
      throw broken('The pickle sets items of no dictionary');
    }
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
  }

  memorise(key: number | null): void {
    if (this.stack.length === 0 || this.top() === markObject)
      throw broken('The pickle’s stack is empty');
    this.memo.set(key ?? this.memo.size, this.top());
  }

  recall(key: number): unknown {
    if (!this.memo.has(key)) throw broken(`The pickle recalls ${key}, which it never memorised`);
    return this.memo.get(key);
  }

  stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    this.push(this.global(String(module), String(name)));
  }

  global(module: string, name: string): PickleGlobal {
    const global = this.knows.globals.get(`${module}.${name}`);
    if (global) return global;
    const wanted = shown(`${module}.${name}`);
    throw broken(`The pickle asks by GLOBAL for ${wanted}, which is not executed here`, { hint });
  }

  reduce(): void {
    const args = this.pop();
    const callee = this.pop();
    const { global, call } = isGlobal(callee) ? callee : { global: 'no global', call: undefined };
    if (!call || !Array.isArray(args)) {
      throw broken(`The pickle calls ${shown(global)} by REDUCE, which is not executed here`, {
        hint,
      });
    }
    this.push(call(args));
  }

  /** State that BUILD would give to an object: an ordered dictionary's attributes and a dtype's say nothing. */
  build(): void {
    this.pop();
    const target = this.top();
    if (target instanceof Map || target instanceof PlainState) return;
    throw broken('The pickle builds an object by BUILD, which is not executed here', { hint });
  }

  persistent(id: unknown): unknown {
    if (!this.knows.persistent)
      throw broken('The pickle has the opcode BINPERSID out of its place');
    return this.knows.persistent(id);
  }

  private top(): unknown {
    return this.stack.at(-1);
  }
}

/** Something whose BUILD is harmless and ignored. */
export class PlainState {}

function isGlobal(value: unknown): value is PickleGlobal {
  return typeof value === 'object' && value !== null && 'global' in value;
}
