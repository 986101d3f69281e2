// Writes the data that went through a FIFO, the register that is read or written again and again, to standard output, byte after
// byte, as a driver's transfer function moved it.
//
//     node fifo-dump.js sdhci.mmt read BUFFER > card.img
//     node fifo-dump.js nic.mmt write BAR0+0x3818 > frames.bin
import { openTrace } from "mmiostrider";

const [path = "trace.mmt", kind = "read", fifo = "BUFFER"] = process.argv.slice(2);
const place = /^BAR(\d)\+(0x[0-9a-f]+)$/.exec(fifo);
const where = place === null ? `register == "${fifo}"` : `bar == ${place[1]} and offset == ${place[2]}`;
const trace = await openTrace(path);
for await (const event of trace.events({ filter: `${kind} and ${where}` })) {
  if (event.kind !== "read" && event.kind !== "write") continue;
  const bytes = Buffer.alloc(event.width_bytes);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number((event.value >> BigInt(8 * at)) & 0xffn);
  process.stdout.write(bytes);
}
await trace.close();
