// SPDX-License-Identifier: GPL-2.0
/*
 * The core: loading and unloading, and the modules that come and go meanwhile.
 */
#include <linux/module.h>
#include <linux/notifier.h>

#include "core.h"

static void main_record_module(const struct module *module, u32 flags)
{
#ifdef MMS_MODULE_HAS_MEM
	u64 base = (u64)module->mem[MOD_TEXT].base;
	u32 bytes = module->mem[MOD_TEXT].size;
#else
	u64 base = (u64)module->core_layout.base;
	u32 bytes = module->core_layout.text_size;
#endif

	mms_ring_put_text(MMS_MODULE, base, bytes, flags, module->name,
			  strlen(module->name));
}

static int main_on_module(struct notifier_block *block, unsigned long event,
			  void *data)
{
	if (mms_clean_room || !mms_ring_recording())
		return NOTIFY_DONE;
	if (event == MODULE_STATE_COMING) {
		main_record_module(data, 0);
	} else if (event == MODULE_STATE_GOING) {
		main_record_module(data, MMS_F_GONE);
		/* its addresses will be another module's */
		mms_ring_forget_symbols();
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_block = { .notifier_call = main_on_module };

static int __init mms_init(void)
{
	int error;

	mms_mapping_init();
	error = mms_fault_init();
	if (error)
		return error;
	error = mms_hooks_init();
	if (error)
		goto no_hooks;
	error = mms_kasan_init();
	if (error)
		goto no_kasan;
	error = register_module_notifier(&module_block);
	if (error)
		goto no_notifier;
	error = mms_control_init();
	if (error)
		goto no_control;
	return 0;

no_control:
	unregister_module_notifier(&module_block);
no_notifier:
	mms_kasan_exit();
no_kasan:
	mms_hooks_exit();
no_hooks:
	mms_fault_exit();
	return error;
}

static void __exit mms_exit(void)
{
	mms_control_exit();
	unregister_module_notifier(&module_block);
	mms_kasan_exit();
	mms_hooks_exit();
	mms_fault_exit();
}

module_init(mms_init);
module_exit(mms_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Records a driver's accesses to memory-mapped I/O");
MODULE_AUTHOR("mmiostrider");
