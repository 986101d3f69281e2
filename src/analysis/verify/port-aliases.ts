// Finds memory BARs that QEMU builds as a second view of the same function's ports (its rtl8139): its log shows accesses to
// such memory at the ports' numbers.
import { type PciFunction, resourceFlag } from "../../trace/header.js";
import type { NumberRange, PortAlias, TruthAccesses } from "./truth-log.js";

/**
 * Finds the memory BARs that were mapped, that the log has nothing of, and that are as long as a BAR of ports of the same
 * function: the log may have their accesses there.
 */
export function findPortAliases(
  functions: readonly PciFunction[],
  mapped: readonly NumberRange[],
  truth: TruthAccesses,
): PortAlias[] {
  const aliases: PortAlias[] = [];
  for (const { bars } of functions) {
    for (const memory of bars) {
      const range = rangeOf(memory);
      if ((BigInt(memory.flags) & resourceFlag.memory) === 0n) continue;
      if (!mapped.some(({ first, last }) => first <= range.last && range.first <= last)) continue;
      if (isLogged(truth, range)) continue;
      const ports = bars.find(
        (bar) =>
          (BigInt(bar.flags) & resourceFlag.port) !== 0n && BigInt(bar.length_bytes) === BigInt(memory.length_bytes),
      );
      if (ports !== undefined) aliases.push({ ports: rangeOf(ports), memory: range.first });
    }
  }
  return aliases;
}

function rangeOf(bar: { start: string; length_bytes: string }): NumberRange {
  const first = Number(bar.start);
  return { first, last: first + Number(bar.length_bytes) - 1 };
}

function isLogged({ count, address }: TruthAccesses, { first, last }: NumberRange): boolean {
  for (let at = 0; at < count; at += 1) if (first <= address[at]! && address[at]! <= last) return true;
  return false;
}
