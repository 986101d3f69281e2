// Nanoseconds to decode and emulate one access, beside a bare load of the same memory in the same run.
import { loadTreatmentLibrary } from "../core-proof/instruction-treatments.js";
import { measure, printMeasured } from "./measure.js";

const loops = 200_000;
const instructions: [what: string, bytes: number[]][] = [
  ["mov eax,[rbx+4]", [0x8b, 0x43, 0x04]],
  ["mov [rbx+4],eax", [0x89, 0x43, 0x04]],
  ["movzx eax,byte [rbx]", [0x0f, 0xb6, 0x03]],
  ["or dword [rbx],1", [0x83, 0x0b, 0x01]],
  ["lock xadd [rbx],eax", [0xf0, 0x0f, 0xc1, 0x03]],
  ["movdqu xmm0,[rbx]", [0xf3, 0x0f, 0x6f, 0x03]],
];

export function run(): void {
  const library = loadTreatmentLibrary();
  const emulate = library.func("uint32_t mms_time_emulation(_Inout_ uint8_t *bytes, uint32_t count)");
  const load = library.func("uint32_t mms_time_load(uint32_t count)");
  const contenders = instructions.map(([name, bytes]) => {
    const buffer = Uint8Array.from({ length: 16 }, (_, at) => bytes[at] ?? 0x90);
    if (emulate(buffer, 1) !== 1) throw new Error(`${name} isn't emulated`);
    return { name: `decode and emulate ${name}`, units: loops, work: () => void emulate(buffer, loops) };
  });
  printMeasured(
    "emulate: one access, decoded each time",
    "access",
    measure([{ name: "a bare load", units: loops, work: () => void load(loops) }, ...contenders]),
  );
}
