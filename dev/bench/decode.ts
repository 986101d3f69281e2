// Nanoseconds a decode of the core's decoder, beside iced-x86's wasm build on the same bytes in the same run.
import { Decoder, DecoderOptions, Instruction } from "iced-x86";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { coreDecoder } from "../core-proof/decode-batch.js";
import { codeOfFile } from "../core-proof/executable-code.js";
import { type Contender, measure, printMeasured } from "./measure.js";

/** Instructions of the kernel in the stream: too many for their rows to fit into the processor's caches. */
const streamInstructions = 1_000_000;
const plainInstructions = 200_000;

/** The filler between functions, which never runs. */
const int3 = 0xcc;

/** Collects a kernel's instructions, one after the other, without the padding between functions. */
async function kernelStream(): Promise<Uint8Array> {
  const kernel = await prepareKernel("debian:6.1", (line) => process.stderr.write(`${line}\n`));
  const text = codeOfFile(kernel.imagePath).find((section) => section.name === ".text")!.bytes;
  const starts = coreDecoder().starts(text);
  const stream = new Uint8Array(streamInstructions * 15);
  let bytes = 0;
  for (let n = 0, taken = 0; n + 1 < starts.length && taken < streamInstructions; n++) {
    if (text[starts[n]!] === int3) continue;
    stream.set(text.subarray(starts[n]!, starts[n + 1]!), bytes);
    bytes += starts[n + 1]! - starts[n]!;
    taken++;
  }
  return stream.subarray(0, bytes);
}

/** Repeats one instruction. */
function repeated(instruction: number[]): Uint8Array {
  const bytes = new Uint8Array(instruction.length * plainInstructions);
  for (let n = 0; n < plainInstructions; n++) bytes.set(instruction, n * instruction.length);
  return bytes;
}

function contenders(bytes: Uint8Array): Contender[] {
  const core = coreDecoder();
  const units = core.stream(bytes, 1);
  const instruction = new Instruction();
  return [
    { name: "core/decode.c", units, work: () => void core.stream(bytes, 1) },
    {
      name: "iced-x86, wasm, decodeOut into one object",
      units,
      work: () => {
        const decoder = new Decoder(64, bytes, DecoderOptions.None);
        for (let n = 0; n < units; n++) decoder.decodeOut(instruction);
        decoder.free();
      },
    },
  ];
}

export async function run(): Promise<void> {
  const stream = await kernelStream();
  printMeasured("decode: a kernel's instructions", "decode", measure(contenders(stream)));
  printMeasured("decode: mov eax,[rbx+4]", "decode", measure(contenders(repeated([0x8b, 0x43, 0x04]))));
  printMeasured(
    "decode: mov [rbx+rcx*8+0x100],rax",
    "decode",
    measure(contenders(repeated([0x48, 0x89, 0x84, 0xcb, 0, 1, 0, 0]))),
  );
  printMeasured("decode: vmovdqu [rdi],ymm0", "decode", measure(contenders(repeated([0xc5, 0xfe, 0x7f, 0x07]))));
}
