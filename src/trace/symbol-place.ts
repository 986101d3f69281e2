// The kernel's symbols of addresses, as traces have them.

/** The parts of a symbol: `function+0x1f/0x90 [module]`. */
export interface SymbolPlace {
  name: string;
  /** Bytes from the function's begin. */
  offset: number;
  /** Undefined for the kernel's own functions. */
  module: string | undefined;
}

/** Splits a symbol; undefined for other texts. */
export function symbolPlace(symbol: string | undefined): SymbolPlace | undefined {
  const [, name, offset, module] = /^(.+)\+0x([0-9a-f]+)\/0x[0-9a-f]+(?: \[([\w-]+)\])?$/.exec(symbol ?? "") ?? [];
  return name === undefined ? undefined : { name, offset: Number.parseInt(offset!, 16), module };
}
