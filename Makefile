# SPDX-License-Identifier: MIT
# A thin front: Meson and Ninja build, scripts/ do the rest. README.md tells what each target does.
#
#   ARCH CROSS_PREFIX CC LD STRIP OBJCOPY HOST_CC   tools (arm64, aarch64-linux-gnu-, ...)
#   BUILD=build CONFIG=.config                      where to build, the Kconfig answers
#   TEST=unit:rbtree                                what `make test` runs, see tests/run --help
#   APP=deb:sqlite3 ARGS='...'                      what `make run` runs; none: our web server, on PORT=8080

BUILD ?= build
CONFIG ?= .config
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
APP ?=
ARGS ?=

# make's own default for CC (cc) and LD (ld) is no choice of the user's.
ifeq ($(origin CC),default)
CC :=
endif
ifeq ($(origin LD),default)
LD :=
endif
ifeq ($(origin AR),default)
AR :=
endif
export ARCH CC LD AR NM STRIP OBJCOPY HOST_CC CONFIG
ifdef CROSS_PREFIX
export CROSS_PREFIX
endif

all: configure
	@ninja -C $(BUILD) -j $(JOBS) product

everything: configure
	@ninja -C $(BUILD) -j $(JOBS)

configure:
	@scripts/configure $(BUILD)

setup:
	@scripts/setup build run

run: setup all
	@$(if $(APP),$(BUILD)/remora run -V $(APP) $(ARGS),scripts/demo $(BUILD))

test:
	@scripts/setup build run test
	@$(MAKE) --no-print-directory everything
	@tests/run --build $(BUILD) $(TEST)

test-all:
	@scripts/setup build run test
	@$(MAKE) --no-print-directory everything
	@tests/run --build $(BUILD) --all $(TEST)

bench: everything
	@bench/run --build $(BUILD)

check:
	@tests/run check

format:
	@scripts/format

menuconfig:
	@scripts/kconfig.py menuconfig --answers $(abspath $(CONFIG))

gdb: all
	@scripts/gdb/start $(BUILD)

install: all
	@DESTDIR="$(DESTDIR)" scripts/install $(BUILD) $(PREFIX)

uninstall:
	@DESTDIR="$(DESTDIR)" scripts/install --remove $(PREFIX)

clean:
	rm -rf $(BUILD)

help:
	@echo "make            the command, the kernel and our programs, in $(BUILD)/"
	@echo "make run        install what is missing, build, run our web server; APP=deb:sqlite3 ARGS='...' runs another program"
	@echo "make test       all tests but the long ones; TEST=unit:rbtree runs one; test-all: the long ones too"
	@echo "make bench      figures beside a Linux guest"
	@echo "make check      formatting, include direction, licence lines; format: bring files into form"
	@echo "make menuconfig choose drivers and options"
	@echo "make gdb        boot hello under gdb, stopped at the kernel's start"
	@echo "make install    the command and the kernel, to PREFIX=/usr/local; uninstall"
	@echo "make clean      remove $(BUILD)/"
	@echo "Variables: ARCH CROSS_PREFIX CC LD STRIP OBJCOPY HOST_CC BUILD CONFIG JOBS (README.md)"

.PHONY: all everything configure setup run test test-all bench check format menuconfig gdb install uninstall clean help
