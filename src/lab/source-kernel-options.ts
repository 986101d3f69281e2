// The options of the kernels that the lab builds from Debian's source. Options that these select, or that are Kconfig's
// defaults, aren't listed.

/** A kernel to build from Debian's source. */
export interface SourceKernel {
  /** Part of its version in `uname -r`, and of its folder's name in the cache. */
  name: string;
  /** Lines that must be in .config afterwards, so that a version without an option is noticed. */
  options: readonly string[];
  /** Time of a build on two quiet CPUs. */
  takes: string;
}

/** Needs of the lab's machine, of its init, and of the core's hooks; and what the plain kernel leaves out again. */
const machine = [
  ...["64BIT", "SMP", "ACPI", "PCI", "PCI_MSI", "PCI_MMCONFIG", "HPET_TIMER", "HIGH_RES_TIMERS", "NO_HZ_IDLE"],
  ...["RELOCATABLE", "RANDOMIZE_BASE", "JUMP_LABEL", "STACKPROTECTOR", "STACKPROTECTOR_STRONG", "UNWINDER_ORC"],
  ...["MODULES", "MODULE_UNLOAD", "KALLSYMS", "KALLSYMS_ALL", "KPROBES", "LIVEPATCH"],
  ...["FTRACE", "FUNCTION_TRACER", "FUNCTION_GRAPH_TRACER", "DYNAMIC_FTRACE", "KPROBE_EVENTS", "MMIOTRACE"],
  ...["PRINTK", "PRINTK_TIME", "BUG", "BLOCK", "BLK_DEV_INITRD", "RD_GZIP", "BINFMT_ELF", "BINFMT_SCRIPT"],
  ...["SYSVIPC", "POSIX_TIMERS", "TTY", "UNIX98_PTYS", "SERIAL_8250", "SERIAL_8250_CONSOLE", "DEVMEM", "DEVTMPFS"],
  ...["PROC_FS", "SYSFS", "SHMEM", "TMPFS", "DEBUG_FS", "OVERLAY_FS", "NETWORK_FILESYSTEMS"],
  ...["NET", "UNIX", "INET", "PACKET", "NETDEVICES", "ETHERNET", "NET_VENDOR_INTEL"],
  ...["VIRTIO_MENU", "VIRTIO_PCI", "VIRTIO_CONSOLE", "NET_9P", "NET_9P_VIRTIO", "9P_FS"],
];

const drivers = ["E1000", "E1000E", "BLK_DEV_NVME"];

const checks = [
  // each access to memory
  ...["DEBUG_KERNEL", "KASAN", "KASAN_GENERIC", "KASAN_OUTLINE", "KASAN_VMALLOC", "SLUB_DEBUG", "SLUB_DEBUG_ON"],
  ...["VMAP_STACK", "SCHED_STACK_END_CHECK", "DEBUG_VM", "DEBUG_VIRTUAL", "UBSAN", "UBSAN_BOUNDS", "UBSAN_SHIFT"],
  ...["DEBUG_KMEMLEAK", "DEBUG_KMEMLEAK_DEFAULT_OFF"],
  // Locks, interrupts, preemption, RCU. Not PROVE_RAW_LOCK_NESTING: in 6.1 the first line that an interrupt prints on the serial
  // console breaks its rules, and lockdep is silent after its first report.
  ...["PREEMPT", "PROVE_LOCKING", "DEBUG_ATOMIC_SLEEP", "DEBUG_PREEMPT", "DEBUG_IRQFLAGS"],
  ...["DEBUG_ENTRY", "X86_KERNEL_IBT", "SOFTLOCKUP_DETECTOR", "DETECT_HUNG_TASK", "WQ_WATCHDOG"],
  // lists and other objects
  ...["DEBUG_OBJECTS", "DEBUG_OBJECTS_FREE", "DEBUG_OBJECTS_TIMERS", "DEBUG_OBJECTS_WORK", "DEBUG_OBJECTS_RCU_HEAD"],
  ...["DEBUG_OBJECTS_PERCPU_COUNTER", "DEBUG_LIST", "DEBUG_SG", "DEBUG_NOTIFIERS", "DEBUG_PER_CPU_MAPS"],
];

const nameLine = (name: string) => `CONFIG_LOCALVERSION="-mms-${name}"`;
const builtIn = (names: readonly string[]) => names.map((name) => `CONFIG_${name}=y`);
const modules = (names: readonly string[]) => names.map((name) => `CONFIG_${name}=m`);

/** The kernel that checks itself: everything that finds mistakes. */
export const debugKernel: SourceKernel = {
  name: "debug",
  options: [nameLine("debug"), "CONFIG_NR_CPUS=64", ...builtIn([...machine, ...checks]), ...modules(drivers)],
  takes: "half an hour",
};

/** Options of Debian's kernels that a user's own may lack. */
const unneeded = new Set([
  ...["RELOCATABLE", "RANDOMIZE_BASE", "JUMP_LABEL", "STACKPROTECTOR", "STACKPROTECTOR_STRONG", "UNWINDER_ORC"],
  // without ftrace there are neither tracepoints nor nops at the functions' starts: kprobes write breakpoints or jumps there
  ...["FTRACE", "FUNCTION_TRACER", "FUNCTION_GRAPH_TRACER", "DYNAMIC_FTRACE", "KPROBE_EVENTS", "MMIOTRACE"],
  ...["KALLSYMS_ALL", "LIVEPATCH"],
]);

/** The workloads of dev/checks/driver-cases.ts need these. */
const workloads = {
  builtIn: ["SCSI", "ATA", "USB_SUPPORT", "USB_PCI", "INPUT", "HID"],
  modules: [
    ...["EXT4_FS", "BLK_DEV_SD", "SATA_AHCI"],
    ...["USB", "USB_XHCI_HCD", "USB_STORAGE", "USB_HID", "HID_GENERIC", "INPUT_EVDEV"],
  ],
};

/** A small kernel that differs from Debian's wherever the core could notice. */
export const plainKernel: SourceKernel = {
  name: "plain",
  options: [
    nameLine("plain"),
    ...builtIn([...machine.filter((name) => !unneeded.has(name)), ...workloads.builtIn]),
    ...builtIn(["PREEMPT_NONE", "UNWINDER_FRAME_POINTER"]),
    ...["FTRACE", "JUMP_LABEL", "MODVERSIONS"].map((name) => `# CONFIG_${name} is not set`),
    ...modules([...drivers, ...workloads.modules]),
  ],
  takes: "a quarter of an hour",
};
