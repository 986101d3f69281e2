// Reads the description of a site from the text of its instruction, as a disassembler prints it, and that of a call from the function's
// name: nothing of the rewriter's decoding or tables.

/** The fields of core/rewritten-site.h, but for the place of the instruction. */
export interface SiteFields {
  displacement: number;
  immediate: number;
  kind: number;
  bytes: number;
  base: number;
  index: number;
  scale: number;
  reg: number;
  regBytes: number;
  regShift: number;
  /** 1 for a jump to a function. */
  jump: number;
}

/** A call of a function that the core executes. */
export interface CallFields extends SiteFields {
  name: string;
}

const none = 0xff;
const wide = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
const widths: Record<string, number> = { byte: 1, word: 2, dword: 4, qword: 8 };

/** Splits a register's name: `bh` is register 3 from its eighth bit on. */
function register(name: string): Pick<SiteFields, "reg" | "regBytes" | "regShift"> | undefined {
  const numbered = /^r(\d+)([bwdl]?)$/.exec(name);
  if (numbered !== null) {
    const regBytes = { b: 1, l: 1, w: 2, d: 4 }[numbered[2]!] ?? 8;
    return { reg: Number(numbered[1]), regBytes, regShift: 0 };
  }
  const high = ["ah", "ch", "dh", "bh"].indexOf(name);
  if (high >= 0) return { reg: high, regBytes: 1, regShift: 8 };
  const sets: [names: string[], regBytes: number][] = [
    [wide, 8],
    [wide.map((long) => long.replace("r", "e")), 4],
    [wide.map((long) => long.slice(1)), 2],
    [["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"], 1],
  ];
  for (const [names, regBytes] of sets) {
    const reg = names.indexOf(name);
    if (reg >= 0) return { reg, regBytes, regShift: 0 };
  }
  return undefined;
}

function number(text: string): number {
  const value = text.endsWith("h") ? BigInt(`0x${text.slice(0, -1)}`) : BigInt(text);
  return Number(BigInt.asIntN(32, value));
}

/** `[rbx+rcx*4-10h]`, with a width in front of it where no register tells it. */
function memory(text: string): (Partial<SiteFields> & { width_bytes: number | undefined }) | undefined {
  const match = /^(?:(byte|word|dword|qword) )?\[(?:rel )?([^\]]+)\]$/.exec(text);
  if (match === null) return undefined;
  const found = { displacement: 0, base: none, index: none, scale: 1, width_bytes: widths[match[1] ?? ""] };
  for (const term of match[2]!.match(/[+-]?[^+-]+/g) ?? []) {
    const bare = term.replace(/^\+/, "");
    const [name, scale] = bare.split("*");
    const named = register(name!);
    if (named === undefined) {
      const sign = bare.startsWith("-") ? -1 : 1;
      found.displacement = sign * number(bare.replace("-", ""));
    } else if (found.base === none && scale === undefined) found.base = named.reg;
    else {
      found.index = named.reg;
      found.scale = Number(scale ?? 1);
    }
  }
  return found;
}

const empty: SiteFields = {
  ...{ displacement: 0, immediate: 0, kind: 0, bytes: 0, base: none, index: none },
  ...{ scale: 0, reg: 0, regBytes: 0, regShift: 0, jump: 0 },
};

function portFields(mnemonic: string, operands: string[]): SiteFields | undefined {
  const string = /^(?:(?:rep|repne) )?(ins|outs)([bwd])$/.exec(mnemonic);
  if (string !== null) {
    const kind = string[1] === "ins" ? 18 : 19;
    return { ...empty, kind, bytes: { b: 1, w: 2, d: 4 }[string[2]!]!, base: 2, scale: Number(/^rep/.test(mnemonic)) };
  }
  const [value, port] = mnemonic === "in" ? operands : operands.toReversed();
  const parts = register(value ?? "");
  if (!/^(in|out)$/.test(mnemonic) || parts === undefined || port === undefined) return undefined;
  const { regBytes } = parts;
  const at = port === "dx" ? { base: 2 } : { immediate: number(port) };
  return { ...empty, ...at, kind: mnemonic === "in" ? 16 : 17, bytes: regBytes, regBytes };
}

/** Returns undefined for an instruction that is neither a plain move nor one on ports. */
export function siteFieldsOf(text: string): SiteFields | undefined {
  const [, mnemonic, rest] = /^((?:rep |repne )?\w+)(?: (.*))?$/.exec(text) ?? [];
  const operands = (rest ?? "").split(",");
  const port = portFields(mnemonic ?? "", operands);
  if (port !== undefined) return port;
  if (!/^mov(zx|sx|sxd)?$/.test(mnemonic ?? "") || operands.length !== 2) return undefined;
  const [to, from] = operands as [string, string];
  const [target, source] = [memory(to), memory(from)];
  if (source !== undefined) {
    const { width_bytes, ...place } = source;
    const parts = register(to);
    if (parts === undefined) return undefined;
    const kind = /^movsx/.test(mnemonic!) ? 2 : 1;
    const bytes = width_bytes ?? (mnemonic === "movsxd" ? 4 : parts.regBytes);
    return { ...empty, ...place, ...parts, kind, bytes };
  }
  if (target === undefined) return undefined;
  const { width_bytes, ...place } = target;
  const parts = register(from);
  if (parts !== undefined) return { ...empty, ...place, ...parts, kind: 3, bytes: width_bytes ?? parts.regBytes };
  return { ...empty, ...place, kind: 4, bytes: width_bytes ?? 0, immediate: number(from.replace(/^\w+ (?=\w)/, "")) };
}

/** Prototypes, in the order of their arguments: rdi, rsi. */
const prototypes: [name: RegExp, address: "rdi" | "rsi", other: "rax" | "rdi" | "rsi", kind: number][] = [
  [/^ioread(8|16|32)$/, "rdi", "rax", 32],
  [/^ioread(16|32)be$/, "rdi", "rax", 33],
  [/^iowrite(8|16|32)$/, "rsi", "rdi", 34],
  [/^iowrite(16|32)be$/, "rsi", "rdi", 35],
  [/^(?:__)?ioread(64)_(?:lo_hi|hi_lo)$/, "rdi", "rax", 32],
  [/^(?:__)?ioread(64)be_(?:lo_hi|hi_lo)$/, "rdi", "rax", 33],
  [/^(?:__)?iowrite(64)_(?:lo_hi|hi_lo)$/, "rsi", "rdi", 34],
  [/^(?:__)?iowrite(64)be_(?:lo_hi|hi_lo)$/, "rsi", "rdi", 35],
  [/^ioread(8|16|32)_rep$/, "rdi", "rsi", 36],
  [/^iowrite(8|16|32)_rep$/, "rdi", "rsi", 37],
  [/^memcpy_fromio$/, "rsi", "rdi", 38],
  [/^__ioread(32)_copy$/, "rsi", "rdi", 38],
  [/^memcpy_toio$/, "rdi", "rsi", 39],
  [/^__iowrite(32|64)_copy$/, "rdi", "rsi", 39],
];

/** Returns undefined for an instruction that is no call or jump, or of another function. */
export function callFieldsOf(text: string, name: string): CallFields | undefined {
  const [, mnemonic] = /^(call|jmp) (?!short)/.exec(text) ?? [];
  if (mnemonic === undefined) return undefined;
  for (const [pattern, address, other, kind] of prototypes) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const bytes = Number(match[1] ?? 0) / 8;
    // a result is extended to 32 bits; a value to be written has its own; several lie in memory
    const regBytes = kind >= 36 ? 0 : other === "rax" ? Math.max(bytes, 4) : bytes;
    const places = { base: wide.indexOf(address), reg: wide.indexOf(other) };
    return { ...empty, ...places, name, kind, bytes, regBytes, jump: Number(mnemonic === "jmp") };
  }
  return undefined;
}
