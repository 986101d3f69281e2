// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/mmiostrider: commands in as lines of text, records and status out.
 * docs/control-device.md describes it.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "calls.h"
#include "clock.h"
#include "core.h"
#include "rewritten.h"

#define COMMAND_BYTES_MAX 1024
#define RING_BYTES_MIN (64ull << 10)
#define RING_BYTES_MAX (1ull << 30)
#define RING_BYTES_DEFAULT (16ull << 20)
#define STATUS_BYTES_MAX \
	(96 * MMS_MAPPINGS_MAX + MMS_UNRECORDED_STATUS_BYTES_MAX + \
	 2 * MMS_EVENTS_STATUS_BYTES_MAX)

enum state { IDLE, RECORDING, STOPPED };

static const char *const state_names[] = { "idle", "recording", "stopped" };

static DEFINE_MUTEX(control);	/* guards what follows */
static enum state state;
static bool armed;
static bool fenced;
static u32 fence;
static u64 ring_bytes;
static bool relaxed;
static bool interrupts, dma;	/* are recorded */
static char last_error[96] = "-";
static u64 missed;		/* of the recording that ended */
static atomic_t recorders;
static DEFINE_MUTEX(reader);	/* threads of the recorder take turns */

static __printf(2, 3) int control_fail(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(last_error, sizeof(last_error), format, arguments);
	va_end(arguments);
	return error;
}

/*
 * The fence: in the lab, QEMU logs the accesses that devices receive. Writes to
 * this port, where nothing listens, mark the recorded part in that log.
 */
#define FENCE_PORT 0x80

enum fence_end { FENCE_BEGIN = 1, FENCE_END };

static void control_write_fence(enum fence_end end)
{
	const u8 bytes[] = {
		0x4d, 0x4d, 0x53, end,
		fence >> 24, fence >> 16, fence >> 8, fence,
	};
	unsigned int n;

	for (n = 0; fenced && n < sizeof(bytes); n++)
		outb(bytes[n], FENCE_PORT);
}

/* Both run while no access is made: the marked part of the log and the trace
 * hold the same accesses. */

static void control_begin(void)
{
	WRITE_ONCE(mms_relaxed, relaxed);
	mms_rewritten_reset();
	mms_ring_start();
	control_write_fence(FENCE_BEGIN);
}

static void control_end(void)
{
	mms_ring_stop();
	control_write_fence(FENCE_END);
}

static void control_stop_recording(void)
{
	if (state != RECORDING)
		return;
	/*
	 * The hooks stay until the recorder closes. Disarming one takes a grace
	 * period; mappings made in it would have no decoy, and their accesses
	 * would be missing among those that are still recorded.
	 */
	mms_unrecorded_stop(control_end);
	mms_ring_settle();
	missed = mms_hooks_missed();
	mms_interrupts_count_missed();
	mms_dma_count_missed();
	state = STOPPED;
}

/* ---- Commands ---- */

static int control_put_range(struct mms_range *ranges, unsigned int *count,
			     const char *text)
{
	unsigned long long first, last;
	char rest;

	if (sscanf(text, "%llx-%llx%c", &first, &last, &rest) != 2 ||
	    first > last)
		return control_fail(-EINVAL, "not a range FIRST-LAST: %s", text);
	if (*count == MMS_RANGES_MAX)
		return control_fail(-ENOSPC, "more than %d ranges", MMS_RANGES_MAX);
	ranges[(*count)++] = (struct mms_range){ first, last };
	return 0;
}

static int control_add_module(const char *name, bool is_driver)
{
	int error = mms_caller_add_module(name, is_driver);

	if (error == -ENOSPC)
		return control_fail(error, "too many modules: %s", name);
	return error ? control_fail(error, "not a module's name: %s", name) : 0;
}

static int control_add_function(const char *address)
{
	int error = mms_functions_add(address);

	if (error == -ENOSPC)
		return control_fail(error, "more than %d functions",
				    MMS_FUNCTIONS_MAX);
	return error ? control_fail(error, "not a PCI function's address: %s",
				    address) : 0;
}

/* Arming needs to know these. */
static int control_want(const char *line)
{
	if (armed)
		return control_fail(-EBUSY, "too late for this: %s", line);
	if (!strcmp(line, "configuration"))
		mms_configuration_want();
	else if (!strcmp(line, "interrupts"))
		interrupts = true;
	else
		dma = true;
	return 0;
}

static int control_set_ring(const char *text)
{
	u64 bytes;

	if (armed)
		return control_fail(-EBUSY, "too late for this: ring %s", text);
	if (kstrtou64(text, 0, &bytes) || bytes < RING_BYTES_MIN ||
	    bytes > RING_BYTES_MAX)
		return control_fail(-EINVAL, "a ring has %llu to %llu bytes: %s",
				    RING_BYTES_MIN, RING_BYTES_MAX, text);
	ring_bytes = bytes;
	return 0;
}

static int control_set_fence(const char *text)
{
	if (strlen(text) != 8 || kstrtou32(text, 16, &fence))
		return control_fail(-EINVAL, "a fence has eight hexadecimal digits: %s",
				    text);
	fenced = true;
	return 0;
}

/* Does the slow part. The hooks do nothing until recording begins. */
static int control_arm(void)
{
	int error;

	if (armed)
		return 0;
	error = mms_ring_allocate(ring_bytes);
	if (error)
		return control_fail(error, "no memory for a ring of %llu bytes",
				    ring_bytes);
	error = mms_hooks_arm();
	if (error) {
		mms_ring_free();
		return control_fail(error, "no probe on the ioremap family: error %d",
				    error);
	}
	error = mms_configuration_arm();
	if (error) {
		mms_hooks_disarm();
		mms_ring_free();
		return control_fail(error, "configuration space can't be watched: error %d",
				    error);
	}
	mms_calls_forget();
	error = interrupts ? mms_interrupts_arm() : 0;
	if (error) {
		mms_configuration_disarm();
		mms_hooks_disarm();
		mms_ring_free();
		return control_fail(error, "no memory to watch interrupts");
	}
	if (dma)
		mms_dma_arm();
	mms_unrecorded_open();
	mms_watch_arm();
	armed = true;
	return 0;
}

static void control_disarm(void)
{
	mms_watch_disarm();
	mms_dma_disarm();
	mms_interrupts_disarm();
	mms_configuration_disarm();
	mms_hooks_disarm();
	mms_ring_free();
	armed = false;
}

static int control_start(void)
{
	int error = control_arm();

	if (error)
		return error;
	missed = 0;
	mms_interrupts_start();
	mms_dma_start();
	mms_mapping_start_recording(control_begin);
	state = RECORDING;
	return 0;
}

static int control_check(void)
{
	int error = mms_hooks_check();

	if (error)
		return control_fail(error, "ioremap and iounmap don't reach their hooks");
	error = mms_fault_check();
	if (error == -EOPNOTSUPP)
		return control_fail(error, "a decoy is read without a fault");
	if (error)
		return control_fail(error, "a fault on a decoy isn't emulated");
	return 0;
}

static bool control_has_argument(const char *line, const char *command,
				 const char **argument)
{
	size_t length = strlen(command);

	if (strncmp(line, command, length) || line[length] != ' ')
		return false;
	*argument = line + length + 1;
	return true;
}

static int control_set_up(const char *line)
{
	const char *argument;

	if (control_has_argument(line, "range", &argument))
		return control_put_range(mms_filter.range, &mms_filter.ranges, argument);
	if (control_has_argument(line, "exclude", &argument))
		return control_put_range(mms_filter.exclude, &mms_filter.excludes,
					 argument);
	if (control_has_argument(line, "ram", &argument))
		return control_put_range(mms_filter.ram, &mms_filter.rams, argument);
	if (control_has_argument(line, "ports", &argument))
		return control_put_range(mms_filter.ports, &mms_filter.port_ranges,
					 argument);
	if (control_has_argument(line, "function", &argument))
		return control_add_function(argument);
	if (control_has_argument(line, "driver", &argument))
		return control_add_module(argument, true);
	if (control_has_argument(line, "library", &argument))
		return control_add_module(argument, false);
	if (control_has_argument(line, "ring", &argument))
		return control_set_ring(argument);
	if (control_has_argument(line, "fence", &argument))
		return control_set_fence(argument);
	if (!strcmp(line, "all"))
		mms_filter.all = true;
	else if (!strcmp(line, "configuration") || !strcmp(line, "interrupts") ||
		 !strcmp(line, "dma"))
		return control_want(line);
	else if (!strcmp(line, "exclude-wc"))
		mms_filter.exclude_write_combining = true;
	else if (!strcmp(line, "relaxed"))
		relaxed = true;
	else if (!strcmp(line, "clean-room"))
		mms_clean_room = true;
	else if (!strcmp(line, "no-callers"))
		mms_caller_off();
	else if (!strcmp(line, "arm"))
		return control_arm();
	else if (!strcmp(line, "start"))
		return control_start();
	else
		return control_fail(-EINVAL, "not a command: %s", line);
	return 0;
}

static bool control_is_set_up(const char *line)
{
	static const char *const words[] = {
		"range", "exclude", "ram", "ports", "function", "configuration",
		"driver", "library", "ring", "fence", "all", "exclude-wc",
		"interrupts", "dma", "relaxed", "clean-room", "no-callers",
		"arm", "start",
	};
	size_t length = strcspn(line, " ");
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(words); n++)
		if (strlen(words[n]) == length && !strncmp(line, words[n], length))
			return true;
	return false;
}

static int control_execute(const char *line, bool marker_only)
{
	const char *argument;

	if (control_has_argument(line, "mark", &argument)) {
		if (state != RECORDING)
			return control_fail(-EBUSY, "no recording is under way");
		mms_ring_put_text(MMS_MARK, 0, 0, 0, argument,
				  strlen(argument));
		return 0;
	}
	if (marker_only)
		return control_fail(-EPERM, "only the recorder may say: %s", line);
	if (control_is_set_up(line)) {
		if (state != IDLE)
			return control_fail(-EBUSY, "too late for this: %s", line);
		return control_set_up(line);
	}
	if (strcmp(line, "check") && strcmp(line, "stop"))
		return control_fail(-EINVAL, "not a command: %s", line);
	if (state != RECORDING)
		return control_fail(-EBUSY, "no recording is under way");
	if (!strcmp(line, "check"))
		return control_check();
	control_stop_recording();
	return 0;
}

static ssize_t control_write(struct file *file, const char __user *buffer,
			     size_t size, loff_t *offset)
{
	size_t length;
	char *line;
	int error;

	if (!size)
		return -EINVAL;
	if (size > COMMAND_BYTES_MAX)
		return -EMSGSIZE;
	line = memdup_user_nul(buffer, size);
	if (IS_ERR(line))
		return PTR_ERR(line);
	length = size;
	if (line[length - 1] == '\n')
		line[--length] = '\0';
	mutex_lock(&control);
	/* text after a NUL or in a second line would go unchecked, and would
	 * be repeated in the status */
	if (strlen(line) != length || memchr(line, '\n', length))
		error = control_fail(-EINVAL, "a command is one line of text");
	else
		error = control_execute(line, !(file->f_mode & FMODE_READ));
	if (!error)
		control_fail(0, "-");
	mutex_unlock(&control);
	kfree(line);
	return error ? error : size;
}

/* ---- Status ---- */

static char *control_describe(void)
{
	char *text = kvmalloc(STATUS_BYTES_MAX, GFP_KERNEL);
	size_t length;

	if (!text)
		return NULL;
	mutex_lock(&control);
	length = scnprintf(text, STATUS_BYTES_MAX,
			   "state %s\n"
			   "abi %d\n"
			   "records %llu\n"
			   "lost %llu\n"
			   "escaped %llu\n"
			   "missed %llu\n"
			   "unrecorded %llu\n"
			   "past %llu\n"
			   "rewritten %llu\n"
			   "mappings %u\n"
			   "recorded %u\n"
			   "tsc_khz %u\n"
			   "tsc 0x%llx\n"
			   "error %s\n",
			   state_names[state], MMS_ABI_VERSION,
			   mms_ring_written(), mms_ring_lost(),
			   mms_ring_escaped(),
			   state == RECORDING ? mms_hooks_missed() : missed,
			   mms_unrecorded_calls(),
			   mms_configuration_past(),
			   mms_rewritten_made(),
			   mms_mapping_count(), mms_mapping_total(), tsc_khz,
			   mms_clock(), last_error);
	length += mms_unrecorded_describe(text + length,
					  MMS_UNRECORDED_STATUS_BYTES_MAX);
	length += mms_interrupts_describe(text + length,
					  MMS_EVENTS_STATUS_BYTES_MAX);
	length += mms_dma_describe(text + length, MMS_EVENTS_STATUS_BYTES_MAX);
	mutex_unlock(&control);
	mms_mapping_describe(text + length, STATUS_BYTES_MAX - length);
	return text;
}

/* ---- The three ways to open the device ---- */

static int control_open_recorder(void)
{
	if (atomic_cmpxchg(&recorders, 0, 1))
		return -EBUSY;
	mutex_lock(&control);
	state = IDLE;
	mms_filter = (struct mms_filter){};
	mms_functions_clear();
	mms_configuration_forget();
	mms_caller_reset();
	relaxed = false;
	interrupts = dma = false;
	mms_clean_room = false;
	fenced = false;
	ring_bytes = RING_BYTES_DEFAULT;
	control_fail(0, "-");
	mutex_unlock(&control);
	return 0;
}

/* As for the kernel's own ways to devices and to its memory: root without the
 * right to raw I/O has none, nor has anybody where the kernel keeps its secrets. */
static int control_may_open(void)
{
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	return security_locked_down(LOCKDOWN_KPROBES);
}

static int control_open(struct inode *inode, struct file *file)
{
	int error = control_may_open();

	if (error)
		return error;
	/* misc_open() left its own pointer here, which we must not free */
	file->private_data = NULL;
	switch (file->f_mode & (FMODE_READ | FMODE_WRITE)) {
	case FMODE_READ | FMODE_WRITE:
		return control_open_recorder();
	case FMODE_READ:
		file->private_data = control_describe();
		return file->private_data ? 0 : -ENOMEM;
	default:
		return 0;
	}
}

static bool control_is_recorder(const struct file *file)
{
	return (file->f_mode & (FMODE_READ | FMODE_WRITE)) ==
	       (FMODE_READ | FMODE_WRITE);
}

static int control_release(struct inode *inode, struct file *file)
{
	if (!control_is_recorder(file)) {
		kvfree(file->private_data);
		return 0;
	}
	mutex_lock(&control);
	/* closed without a `stop`: the ring's records reach no trace */
	fenced = false;
	control_stop_recording();
	control_disarm();
	state = IDLE;
	mutex_unlock(&control);
	atomic_set(&recorders, 0);
	return 0;
}

/* The ring is there from `start` until the recorder closes. */
static bool control_has_ring(void)
{
	return READ_ONCE(state) != IDLE;
}

static ssize_t control_read(struct file *file, char __user *buffer, size_t size,
			    loff_t *offset)
{
	const char *text = file->private_data;
	ssize_t length;

	if (!control_is_recorder(file))
		return simple_read_from_buffer(buffer, size, offset, text,
					       strlen(text));
	if (!control_has_ring())
		return -EBUSY;
	if (mutex_lock_interruptible(&reader))
		return -ERESTARTSYS;
	length = mms_ring_read(buffer, size, !(file->f_flags & O_NONBLOCK));
	mutex_unlock(&reader);
	return length;
}

static __poll_t control_poll(struct file *file, poll_table *table)
{
	__poll_t events = 0;

	if (!control_is_recorder(file))
		return EPOLLIN;
	if (!control_has_ring())
		return 0;
	poll_wait(file, mms_ring_wait_queue(), table);
	if (mms_ring_has_records())
		events |= EPOLLIN | EPOLLRDNORM;
	if (!mms_ring_recording())
		events |= EPOLLHUP;
	return events;
}

static int control_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!control_is_recorder(file))
		return -EPERM;
	return control_has_ring() ? mms_ring_map(vma) : -EBUSY;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = control_open,
	.release = control_release,
	.read = control_read,
	.write = control_write,
	.poll = control_poll,
	.mmap = control_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mmiostrider",
	.mode = 0600,
	.fops = &operations,
};

int mms_control_init(void)
{
	return misc_register(&device);
}

void mms_control_exit(void)
{
	misc_deregister(&device);
}
