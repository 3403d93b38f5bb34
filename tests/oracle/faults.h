/*
 * faults.h - ends the process at the n-th call that changes a file.
 *
 * The test program's own pwrite, write, writev, ftruncate, fallocate, fsync and
 * fdatasync stand in front of the C library's, for LMDB too. Used in a forked
 * child: armed, run one operation, die.
 */
#ifndef VAULT_TESTS_FAULTS_H
#define VAULT_TESTS_FAULTS_H

#include <stddef.h>
#include <stdint.h>

enum fault_mode {
	FAULT_KILL,                  /* before the n-th call: all earlier writes reached the file */
	FAULT_TORN,                  /* the n-th write reaches the file by half */
	FAULT_POWER,                 /* before the n-th call: every write without a sync is lost */
	FAULT_POWER_SOME,            /* the same, but each unsynced write is lost or kept by chance */
	FAULT_MODES
};

#define FAULT_EXIT 77

/* The n-th call from now on (1 = the next) ends the process with FAULT_EXIT. seed: for FAULT_POWER_SOME. */
void faults_arm(unsigned n, enum fault_mode mode, uint64_t seed);
void faults_disarm(void);
/* From now on the disk has so many free bytes; growing a file beyond them is ENOSPC. SIZE_MAX: a disk without end. */
void faults_disk(size_t bytes);

#endif
