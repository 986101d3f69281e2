// Asks iced-x86's decoder about rules that its tables don't show, by giving it a form's bytes.
import { type Code, Decoder, DecoderOptions, EncodingKind, type OpCodeInfo, OpCodeTableKind } from "iced-x86";

const lowBits = [0, 1, 2, 3, 4, 5, 6, 7];

/** The bytes of a form that has a two-byte opcode and perhaps an immediate, with other low bits in the second byte. */
function twoByteForm(info: OpCodeInfo, low: number): Uint8Array {
  const mandatory = [[], [], [0x66], [0xf3], [0xf2]][info.mandatoryPrefix] ?? [];
  const escapes = info.table === OpCodeTableKind.T0F ? [0x0f] : [];
  const opcode = [(info.opCode >> 8) & 0xff, (info.opCode & 0xf8) | low];
  const immediate = [0, 0, 0, 0];
  const sizes = [...(info.addressSize === 32 ? [0x67] : []), ...(info.operandSize === 16 ? [0x66] : [])];
  return Uint8Array.of(...sizes, ...mandatory, ...escapes, ...opcode, ...immediate);
}

/** Returns true if iced's decoder takes these bytes for the form: it has rules that its tables don't show. */
function decodesTo(bytes: Uint8Array, code: Code): boolean {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const same = instruction.code === code;
  instruction.free();
  decoder.free();
  return same;
}

/** Returns true if the low bits of the last opcode byte mean nothing: some of VIA's and Zhaoxin's instructions. */
export function isRmIgnored(info: OpCodeInfo): boolean {
  return info.encoding === EncodingKind.Legacy && lowBits.every((low) => decodesTo(twoByteForm(info, low), info.code));
}

/** Returns true if the form exists in 64-bit mode at all: MONTMUL with 64-bit addresses, for one, doesn't. */
export function isDecodable(info: OpCodeInfo): boolean {
  if (info.opCodeLength !== 2 || info.encoding !== EncodingKind.Legacy) return true;
  return lowBits.some((low) => decodesTo(twoByteForm(info, low), info.code));
}
