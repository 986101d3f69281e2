// SPDX-License-Identifier: GPL-2.0
/*
 * The core: loading and unloading, and the modules that come and go meanwhile.
 */
#include <linux/module.h>
#include <linux/notifier.h>

#include "clock.h"
#include "core.h"

struct text {
	u64 base;
	u32 bytes;
};

static struct text main_text_of(const struct module *module)
{
#ifdef MMS_MODULE_HAS_MEM
	return (struct text){ (u64)module->mem[MOD_TEXT].base,
			      module->mem[MOD_TEXT].size };
#else
	return (struct text){ (u64)module->core_layout.base,
			      module->core_layout.text_size };
#endif
}

/* The text that is freed once the module is initialised. */
static struct text main_init_text_of(const struct module *module)
{
#ifdef MMS_MODULE_HAS_MEM
	return (struct text){ (u64)module->mem[MOD_INIT_TEXT].base,
			      module->mem[MOD_INIT_TEXT].size };
#else
	return (struct text){ (u64)module->init_layout.base,
			      module->init_layout.text_size };
#endif
}

static void main_record_module(const struct module *module, u32 flags)
{
	struct text text = main_text_of(module);

	mms_ring_put_text(MMS_MODULE, text.base, text.bytes, flags, module->name,
			  strlen(module->name));
}

/* Its addresses were another module's before, or will be another's. */
static void main_forget_symbols(const struct module *module)
{
	struct text text = main_text_of(module);
	struct text init = main_init_text_of(module);

	mms_ring_forget_symbols(text.base, text.bytes);
	mms_ring_forget_symbols(init.base, init.bytes);
}

/* Without the text that called ioremap() there is no name for the mapping's caller
 * in a later recording, and other text may get its address. */
static void main_forget_callers(const struct module *module, unsigned long event)
{
	struct text text = main_text_of(module);
	struct text init = main_init_text_of(module);

	if (event == MODULE_STATE_LIVE || event == MODULE_STATE_GOING)
		mms_mapping_forget_callers(init.base, init.bytes);
	if (event == MODULE_STATE_GOING)
		mms_mapping_forget_callers(text.base, text.bytes);
}

static int main_on_module(struct notifier_block *block, unsigned long event,
			  void *data)
{
	main_forget_callers(data, event);
	if (mms_clean_room || !mms_ring_recording())
		return NOTIFY_DONE;
	switch (event) {
	case MODULE_STATE_COMING:
		main_forget_symbols(data);
		main_record_module(data, 0);
		break;
	case MODULE_STATE_LIVE:
		main_forget_symbols(data);
		break;
	case MODULE_STATE_GOING:
		main_record_module(data, MMS_F_GONE);
		main_forget_symbols(data);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_block = { .notifier_call = main_on_module };

static int __init mms_init(void)
{
	int error;

	mms_mapping_init();
	mms_access_init();
	error = mms_fault_init();
	if (error)
		goto no_fault;
	error = mms_hooks_init();
	if (error)
		goto no_hooks;
	error = mms_kasan_init();
	if (error)
		goto no_kasan;
	error = mms_nofault_init();
	if (error)
		goto no_nofault;
	error = register_module_notifier(&module_block);
	if (error)
		goto no_notifier;
	error = mms_control_init();
	if (error)
		goto no_control;
	mms_clock_init();
	return 0;

no_control:
	unregister_module_notifier(&module_block);
no_notifier:
	mms_nofault_exit();
no_nofault:
	mms_kasan_exit();
no_kasan:
	mms_hooks_exit();
no_hooks:
	mms_fault_exit();
no_fault:
	mms_access_exit();
	return error;
}

static void __exit mms_exit(void)
{
	mms_clock_exit();
	mms_control_exit();
	unregister_module_notifier(&module_block);
	mms_nofault_exit();
	mms_kasan_exit();
	mms_hooks_exit();
	mms_fault_exit();
	mms_user_exit();
	mms_access_exit();
}

module_init(mms_init);
module_exit(mms_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Records a driver's accesses to memory-mapped I/O");
MODULE_AUTHOR("mmiostrider");
