/* SPDX-License-Identifier: MIT */
/* <core/preempt.h> for the host: nothing is preempted. */
#ifndef CORE_PREEMPT_H
#define CORE_PREEMPT_H

#define WORK_RESCHEDULE 0x1U
#define WORK_SIGNAL     0x2U
#define WORK_KILL       0x4U
#define WORK_FPU        0x8U
#define WORK_TRACE      0x10U

static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}

#endif
