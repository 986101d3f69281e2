/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record and the ring, shared by core, agent and recorder: the only
 * definition in C. src/trace/record.ts is the same in TypeScript; a test
 * compares it with the compiler's layout of this one.
 *
 * All integers are little endian. Neither structure has padding.
 */
#ifndef MMIOSTRIDER_RECORD_H
#define MMIOSTRIDER_RECORD_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#define __u8 uint8_t
#define __u16 uint16_t
#define __u32 uint32_t
#define __u64 uint64_t
#endif

#define MMS_ABI_VERSION 5

enum mms_kind {
	MMS_READ = 1,	/* a load from the device: address, width, value */
	MMS_WRITE = 2,	/* a store to the device: address, width, value */
	MMS_MAP = 3,	/* address: physical; value[0]: bytes; value[1]: decoy;
			 * site: ioremap's caller; width: enum mms_memory_type */
	MMS_UNMAP = 4,	/* address: physical; value[0]: bytes; value[1]: decoy;
			 * site: 0 */
	MMS_MARK = 5,	/* a user's marker: text */
	MMS_LOST = 6,	/* value[0]: the number of records dropped here */
	MMS_ESCAPE = 7,	/* an instruction that was executed unemulated:
			 * address: physical; value: its first 15 bytes;
			 * width: their number. 0: an access that was announced
			 * and has faulted; not counted as an escape */
	MMS_SYMBOL = 8,	/* the kernel's symbol for `site` from here on: text */
	MMS_MODULE = 9,	/* a module came or went: text its name, site its
			 * first text address, mapping its text's bytes;
			 * flags: MMS_F_GONE when it went */
	MMS_UNRECORDED = 10, /* a mapping of wanted device memory that got no
			 * decoy: its accesses aren't recorded. address:
			 * physical; value[0]: bytes; value[1]: the calls that
			 * this record stands for; width: enum mms_way; site:
			 * the caller; pid: the process, if for user space.
			 * With several calls, of one caller for one process,
			 * the addresses are those from the first to the last */
	MMS_IRQ_ENTRY = 11, /* a handler of a PCI function's interrupt begins.
			 * address: Linux's number of the interrupt; value[0]:
			 * the CPU's vector, 0 if it has none; value[1]: 0;
			 * site: the handler; function: see below */
	MMS_IRQ_EXIT = 12, /* it has returned. As above; value[1]: the result,
			 * bit 0 handled, bit 1 its thread is to be woken */
	MMS_DMA_MAP = 13, /* a PCI function was given memory. address: on the bus;
			 * value[0]: physical, 0 if unknown; value[1]: bytes;
			 * width: enum mms_dma_kind, direction; site: the caller
			 * of the kernel's function; function: see below */
	MMS_DMA_UNMAP = 14, /* it is about to be taken back: all memory from address
			 * on, value[1] bytes. As above; value[0]: 0 */
};

/*
 * The PCI function of records about interrupts and DMA: `mapping` has the low half of
 * its domain's number, its bus, and its device and function, 16, 8 and 8 bits; the
 * high half of the domain's number lies above the lowest 48 bits of value[1].
 */
#define MMS_EVENT_VALUE_BITS 48
#define MMS_EVENT_VALUE_MASK ((1ull << MMS_EVENT_VALUE_BITS) - 1)

/* The ways to give memory to a device: width's bits above the direction. */
enum mms_dma_kind {
	MMS_DMA_COHERENT = 0,	/* dma_alloc_coherent() and its like, pools */
	MMS_DMA_PAGES = 1,	/* dma_alloc_pages(), dma_alloc_noncoherent() */
	MMS_DMA_NONCONTIGUOUS = 2, /* a part of dma_alloc_noncontiguous()'s */
	MMS_DMA_STREAMING = 3,	/* dma_map_single(), dma_map_page() */
	MMS_DMA_LIST = 4,	/* a part of dma_map_sg()'s */
	MMS_DMA_RESOURCE = 5,	/* dma_map_resource(), dma_map_phys(): device memory.
				 * dma_iova_link()'s is STREAMING, too */
};

/* Linux's enum dma_data_direction: both, to the device, from it, none. */
#define MMS_DMA_DIRECTION_BITS 2
#define MMS_DMA_DIRECTION_MASK ((1u << MMS_DMA_DIRECTION_BITS) - 1)

/*
 * Text (MARK, SYMBOL, MODULE) lies in address and value[], 24 bytes a record,
 * `width` of them used; MMS_F_MORE says that the next record continues it. An
 * access wider than 16 bytes is several records, too, each with the width and
 * address of its own part, all but the last flagged MMS_F_MORE.
 */
#define MMS_TEXT_BYTES 24
#define MMS_TEXT_OFFSET 16	/* of the text in the record: address, value */
#define MMS_VALUE_BYTES 16

enum mms_flags {
	MMS_F_HARDIRQ = 1 << 0,	/* in a hard interrupt handler */
	MMS_F_SOFTIRQ = 1 << 1,	/* in a softirq, or with bottom halves off */
	MMS_F_NMI = 1 << 2,	/* in an NMI handler */
	MMS_F_MORE = 1 << 3,	/* the next record continues this one */
	MMS_F_LOCKED = 1 << 4,	/* half of an atomic read-modify-write */
	MMS_F_STRING = 1 << 5,	/* an element of a string instruction */
	MMS_F_USER = 1 << 6,	/* the other side was user memory */
	MMS_F_UNORDERED = 1 << 7, /* made without the lock: its place among
				 * other CPUs' records is uncertain. The access
				 * that it interrupted stands before it, but may
				 * have come after it */
	MMS_F_GONE = 1 << 8,	/* MODULE: unloaded */
	MMS_F_STEPPED = 1 << 9,	/* made by single-stepping the instruction on
				 * a copy of the operand */
	MMS_F_VERBATIM = 1 << 10, /* only in imported traces. MARK: a line of
				 * the log without other meaning; LOST: the
				 * header keeps its line */
	MMS_F_RUN = 1 << 11,	/* only in the ring: see struct mms_run_part */
	MMS_F_THREAD = 1 << 12,	/* IRQ_ENTRY, IRQ_EXIT: the handler runs in the
				 * interrupt's thread */
};

enum mms_memory_type {
	MMS_UNCACHED = 0,
	MMS_WRITE_COMBINING = 1,
	MMS_WRITE_THROUGH = 2,
	MMS_WRITE_BACK = 3,
	MMS_ENCRYPTED = 4,
	MMS_OTHER_TYPE = 5,	/* ioremap_prot() */
	MMS_PORTS = 6,		/* ioport_map(): no memory at all */
};

/*
 * Addresses in records are physical ones below MMS_PORT_SPACE. From there on they
 * are those of other spaces: MMS_PORT_SPACE + an I/O port's number;
 * MMS_CONFIGURATION_SPACE + domain << 28 + bus << 20 + device << 15 + function << 12
 * + offset in a PCI function's configuration space, with mapping 0.
 */
#define MMS_PORT_SPACE (3ull << 50)
#define MMS_CONFIGURATION_SPACE (7ull << 49)

/* The ways to map device memory without ioremap(). */
enum mms_way {
	MMS_BY_SEVERAL = 0,	/* calls without addresses: there were too many */
	MMS_BY_VMAP_PFN = 1,
	MMS_BY_MEMREMAP_PAGES = 2,
	MMS_BY_FIXMAP = 3,
	MMS_BY_REMAP_PFN_RANGE = 4,	/* this one and the rest: for user space */
	MMS_BY_INSERT_PFN = 5,		/* vmf_insert_pfn(), page by page */
	MMS_BY_INSERT_MIXED = 6,	/* vmf_insert_mixed() */
	MMS_BY_INSERT_HUGE = 7,		/* vmf_insert_pfn_pmd(), _pud() */
};

struct mms_record {
	__u32 sequence;	/* place in the ring since the start, counted from 1,
			 * modulo 2^32; written last: it completes the record */
	__u32 caller;	/* READ, WRITE, ESCAPE, DMA_…: low half of the return address in
			 * the driver, where the site lies outside of it. The
			 * high half has only ones: all kernel text lies there.
			 * 0: the site is the driver's own, or none was found */
	__u64 tsc;	/* just before the access */
	__u64 address;	/* physical */
	__u64 value[2];	/* least significant first */
	__u64 site;	/* address of the instruction; 0 in a clean room */
	__u32 pid;
	__u32 mapping;	/* MAP's number, counted from 1 */
	__u16 cpu;
	__u8 kind;	/* enum mms_kind */
	__u8 width;	/* bytes */
	__u32 flags;	/* enum mms_flags */
};

/*
 * A run: many elements of a string instruction in a few places of the ring. The
 * first place has a READ or WRITE record with MMS_F_RUN: the address of the
 * first element and the time just before it, which counts for all of them;
 * width: bytes of an element, 1 to 8; value[0]: number of elements, may be 0;
 * the low half of value[1]: number of places that follow, the high half: bytes
 * from one element's address to the next one's, signed. Those places have the
 * values, one behind the other; the last ones may be unused.
 */
struct mms_run_part {
	__u32 sequence;	/* as in a record */
	__u32 unused;
	__u8 value[56];
};

#define MMS_RUN_PART_BYTES 56	/* a multiple of every element's width */

/* The first page of the device's mmap(); the records follow it. */
struct mms_ring_head {
	__u32 magic;		/* MMS_RING_MAGIC */
	__u32 abi_version;	/* MMS_ABI_VERSION */
	__u32 record_bytes;	/* sizeof(struct mms_record) */
	__u32 records_max;	/* a power of two */
	__u64 written;		/* records ever put in: the writers' position */
	__u64 read;		/* records ever taken out: the reader stores it */
	__u64 lost;		/* records dropped since the start, in all */
	__u64 escaped;		/* ESCAPE records since the start, in all */
};

#define MMS_RING_MAGIC 0x52534d4d /* "MMSR" */

#endif
