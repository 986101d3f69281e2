// The addresses of devices in logs that have none, as VFIO's: 2^50 + device · 2^42 + region · 2^39 + offset. All are below 2^52, as physical
// addresses are, and above all that machines have.

export const addressBase = 2 ** 50;
export const deviceSpace = 2 ** 42;
export const regionSpace = 2 ** 39;
/** Most devices in one trace: the next addresses are those of other spaces (space.ts). */
export const madeUpDevicesMax = 256;

const base = BigInt(addressBase);
const space = BigInt(deviceSpace);

/** Returns the number of the device that has a made-up address; undefined for any other address. */
export function madeUpDevice(address: bigint): number | undefined {
  const number = address < base ? madeUpDevicesMax : Number((address - base) / space);
  return number < madeUpDevicesMax ? number : undefined;
}

/** Returns a made-up address at the same place of another device. */
export function madeUpAddress(device: number, address: bigint): bigint {
  return base + BigInt(device) * space + ((address - base) % space);
}
