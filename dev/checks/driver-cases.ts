// The drivers of `npm run check:drivers`: for each, QEMU's device, and a workload in the machine that drives it and checks
// the results. Data only: driver-guest.ts has the shell functions that the workloads call, driver-boot.ts runs them.
import { UsageError } from "../../src/cli/shared/exit-code.js";

export interface DriverCase {
  /** The kernel's name of the driver. */
  name: string;
  /** QEMU's arguments. `@S` is the device's PCI slot, `@D` the slot in decimal, `@F` the folder for its files. */
  qemu: string;
  /** The device's place, if the check can't choose its slot. */
  place?: string;
  /** The option of `mmiostrider record` that selects the device, if it isn't a PCI device: `--range …`. */
  record?: string;
  /** MB of the disk image `@F/disk`. */
  disk_MB?: number;
  /** Script that runs once before everything: takes the device from a driver that has had it since boot. */
  prepare?: string;
  /** Script that loads the driver, drives it, unloads it. Run with `sh -e` after the functions; ends with 0 only if all is right. */
  workload: string;
  /** A file that QEMU writes, and that must hold the played sound. */
  wave?: string;
  /** A program outside the machine that the device needs. */
  needs?: "swtpm";
  /** The module with the device's PCI driver, if the case has another name. */
  module?: string;
  /** The reason why engine instrument can't record it in this machine. */
  notRewritten?: string;
}

/** A driver that has nothing to record here, and the reason. */
export interface LeftOutDriver {
  name: string;
  why: string;
}

const card = (model: string) =>
  `-netdev user,id=net@D,net=10.0.@D.0/24,guestfwd=tcp:10.0.@D.100:7-cmd:cat -device ${model},netdev=net@D,addr=@S`;
const network = (name: string, model = name): DriverCase => ({
  name,
  qemu: card(model),
  workload: `modprobe ${name}; transfer; modprobe -r ${name}`,
});

const drive = "-drive file=@F/disk,if=none,format=raw,id=disk@D";
const disk = (name: string, qemu: string, more: Partial<DriverCase> = {}): DriverCase => ({
  name,
  qemu: `${drive} ${qemu}`,
  disk_MB: 32,
  workload: `modprobe -a ext4 sd_mod ${name}; files; modprobe -r ${name}`,
  ...more,
});
const scsi = "-device scsi-hd,drive=disk@D,bus=scsi@D.0";

const usb = (name: string, qemu: string): DriverCase => ({
  name,
  qemu: `${drive} ${qemu} -device usb-storage,drive=disk@D,bus=usb@D.0`,
  disk_MB: 32,
  workload: `modprobe -a ext4 sd_mod evdev usbhid hid_generic usb_storage ${name}; files; keys usb@D; modprobe -r ${name}`,
});

/** virtio-pci has had the device since boot: it is taken away before recording, and the workload gives it back. */
const virtio = (name: string, qemu: string, module: string, work: string): DriverCase => ({
  name,
  qemu,
  module: "virtio_pci",
  notRewritten: "virtio_pci drives the machine's own devices, too",
  prepare: "unbind virtio-pci",
  workload: `modprobe -a ext4 sd_mod ${module}; bind virtio-pci; ${work}; unbind virtio-pci; modprobe -r ${module}`,
});

/** `former`: the module's name in older kernels. */
const screen = (name: string, qemu: string, former = name): DriverCase => ({
  name,
  qemu,
  workload: `modprobe ${name} || modprobe ${former}; picture screen@D; modprobe -r ${name} || modprobe -r ${former}`,
});

/** Not in the table: QEMU logs nothing of qxl's memory to compare with. */
export const qxlCase: DriverCase = {
  ...screen("qxl", "-device qxl,id=screen@D,addr=@S"),
  workload: "modprobe qxl; picture screen@D",
};

export const driverCases: readonly DriverCase[] = [
  network("e1000"),
  network("e1000e"),
  network("8139cp", "rtl8139"),
  network("e100", "i82559er"),
  network("vmxnet3"),
  // these two speak to their devices by I/O ports
  network("tulip"),
  disk("am53c974", `-device am53c974,id=scsi@D,addr=@S ${scsi}`),
  virtio("virtio-net", card("virtio-net-pci,disable-legacy=on,ioeventfd=off"), "virtio_net", "transfer"),
  disk("nvme", "-device nvme,serial=lab,drive=disk@D,addr=@S"),
  disk("ahci", "-device ide-hd,drive=disk@D,bus=ide.0", { place: "00:1f.2" }),
  disk("megaraid_sas", `-device megasas,id=scsi@D,addr=@S ${scsi}`),
  // Linux makes no port for a SAS disk without a world-wide name
  disk("mptsas", `-device mptsas1068,id=scsi@D,addr=@S ${scsi},wwn=0x5000c50015ea71ac`),
  // not the 53c895a: it fetches its SCRIPTS from a BAR, and QEMU logs what the device itself reads there like a CPU's accesses
  disk("sym53c8xx", `-trace lsi_memcpy -device lsi53c810,id=scsi@D,addr=@S ${scsi}`),
  disk("vmw_pvscsi", `-device pvscsi,id=scsi@D,addr=@S ${scsi}`),
  disk("sdhci-pci", "-device sdhci-pci,id=sd@D,addr=@S -device sd-card,drive=disk@D,bus=sd-bus", {
    workload: "modprobe -a ext4 mmc_block sdhci_pci; files; modprobe -r mmc_block; modprobe -r sdhci_pci",
  }),
  {
    ...virtio(
      "virtio-blk",
      `${drive} -device virtio-blk-pci,disable-legacy=on,ioeventfd=off,drive=disk@D,addr=@S`,
      "virtio_blk",
      "files",
    ),
    disk_MB: 32,
  },
  usb("xhci_pci", "-device qemu-xhci,id=usb@D,addr=@S"),
  usb("ehci_pci", "-device usb-ehci,id=usb@D,addr=@S"),
  usb("ohci_pci", "-device pci-ohci,id=usb@D,addr=@S"),
  screen("bochs", "-device bochs-display,id=screen@D,addr=@S", "bochs-drm"),
  screen("cirrus", "-device cirrus-vga,id=screen@D,addr=@S"),
  virtio("virtio-gpu", "-device virtio-gpu-pci,id=screen@D,addr=@S,ioeventfd=off", "virtio_gpu", "picture screen@D"),
  {
    ...virtio(
      "virtio-scsi",
      `${drive} -device virtio-scsi-pci,id=scsi@D,disable-legacy=on,ioeventfd=off,addr=@S ${scsi}`,
      "virtio_scsi",
      "files",
    ),
    disk_MB: 32,
  },
  {
    name: "snd-hda-intel",
    qemu: "-audiodev wav,id=sound@D,path=@F/wave -device ich9-intel-hda,id=hda@D,addr=@S -device hda-output,bus=hda@D.0,audiodev=sound@D,mixer=off",
    workload: "modprobe -a snd-hda-codec-generic snd-hda-intel; play; modprobe -r snd-hda-intel snd-pcm-oss",
    wave: "wave",
  },
  {
    name: "i6300esb",
    qemu: "-device i6300esb,addr=@S -action watchdog=none",
    workload: "modprobe i6300esb; watchdog; modprobe -r i6300esb",
  },
  {
    // built into Debian's kernels, and no PCI device: bound and unbound by hand
    name: "tpm_tis",
    qemu: "-chardev socket,id=tpm@D,path=@F/tpm -tpmdev emulator,id=tpm@D,chardev=tpm@D -device tpm-tis,tpmdev=tpm@D",
    place: "",
    record: "--range 0xfed40000-0xfed44fff",
    prepare: "echo MSFT0101:00 > /sys/bus/platform/drivers/tpm_tis/unbind",
    workload: "cd /sys/bus/platform/drivers/tpm_tis; echo MSFT0101:00 > bind; extend; echo MSFT0101:00 > unbind",
    needs: "swtpm",
    notRewritten: "built into Debian's kernels",
  },
];

export const leftOutDrivers: readonly LeftOutDriver[] = [
  { name: "8139too", why: "refuses QEMU's rtl8139, which is of revision 0x20 (8139C+): 8139cp has that" },
  { name: "ne2k_pci, pcnet32", why: "I/O ports only, by the instructions in and out, which aren't recorded" },
  { name: "igb", why: "QEMU 7.2 has no such device" },
  { name: "vmwgfx", why: "refuses QEMU's vmware-svga: the hardware has no pitchlock" },
  { name: "qxl", why: "memory and I/O ports only: QEMU logs nothing to compare with (npm run test:all records it)" },
  { name: "uhci_hcd", why: "I/O ports only, by the instructions in and out" },
  { name: "snd-intel8x0", why: "QEMU's AC97 (82801AA) has I/O ports only" },
  { name: "8250_pci", why: "QEMU's pci-serial has I/O ports only" },
  { name: "edu, ivshmem", why: "no driver in Debian's kernels: the module in test/kernel/ drives them (npm test)" },
];

/** Finds a case by its name. Throws UsageError if there is none. */
export function caseNamed(name: string): DriverCase {
  const found = driverCases.find((one) => one.name === name);
  if (found !== undefined) return found;
  const leftOut = leftOutDrivers.find((one) => one.name.split(", ").includes(name));
  throw new UsageError(leftOut === undefined ? `--driver ${name}: there is no such case` : `${name}: ${leftOut.why}`, {
    advice: "--list prints the names",
  });
}
