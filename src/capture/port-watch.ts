// Notices drivers that use their device's I/O ports directly, by in and out: that isn't recorded, so that such a recording is empty.
import { type AddressRange, rangesOverlap } from "../base/address-range.js";
import { type PortClaim, parseIoports } from "../machine/ioports.js";
import { readKernelFile } from "../machine/kernel-files.js";
import { fullPciAddress } from "../machine/pci.js";
import { type PciFunction, portRanges } from "../trace/header.js";
import { inSpace } from "../trace/space.js";
import { memoryRanges } from "./recording-scope.js";

interface WatchedFunction {
  address: string;
  memory: AddressRange[];
  ports: AddressRange[];
  mapped: boolean;
  /** The driver's claim of the ports, once it was seen. */
  claim: PortClaim | undefined;
}

export class PortWatch {
  private readonly functions: WatchedFunction[];
  private readonly readPorts: () => string | undefined;

  /** `notHeardOf`: mappings made before recording began, and ranges left out; a function with memory there isn't watched. */
  constructor(
    functions: readonly PciFunction[],
    notHeardOf: readonly AddressRange[],
    readPorts = () => readKernelFile("/proc/ioports"),
  ) {
    this.readPorts = readPorts;
    const watched = functions.map((found) => ({
      address: found.address,
      memory: memoryRanges(found),
      ports: portRanges(found),
      mapped: false,
      claim: undefined,
    }));
    this.functions = watched.filter(
      ({ memory, ports }) =>
        ports.length > 0 && !memory.some((range) => notHeardOf.some((it) => rangesOverlap(range, it))),
    );
    this.look();
  }

  /** Takes a recorded mapping's address: of memory, or of ports (trace/space.ts). */
  addMapping(address: bigint): void {
    for (const found of this.functions) {
      const ports = found.ports.map(({ first, last }) => ({
        first: inSpace("ports", first),
        last: inSpace("ports", last),
      }));
      if ([...found.memory, ...ports].some(({ first, last }) => address >= first && address <= last))
        found.mapped = true;
    }
  }

  /** Looks who has the ports. Call it now and then: a driver gives them back when it goes. */
  look(): void {
    const waiting = this.functions.filter(({ mapped, claim }) => !mapped && claim === undefined);
    if (waiting.length === 0) return;
    const claims = parseIoports(this.readPorts() ?? "");
    for (const found of waiting) {
      found.claim = claims.find(
        // the device's own line names its address
        (claim) => fullPciAddress(claim.owner) === undefined && found.ports.some((range) => isWithin(claim, range)),
      );
    }
  }

  /** Returns a sentence for each function whose driver has its ports and mapped neither them nor its memory. */
  sentences(): string[] {
    return this.functions.flatMap(({ address, mapped, claim }) =>
      mapped || claim === undefined
        ? []
        : [
            `no memory of ${address} was mapped; ${claim.owner} has its I/O ports ` +
              `0x${claim.first.toString(16)}-0x${claim.last.toString(16)}, and its accesses by in and out are not recorded`,
          ],
    );
  }
}

function isWithin(inner: AddressRange, outer: AddressRange): boolean {
  return inner.first >= outer.first && inner.last <= outer.last;
}
