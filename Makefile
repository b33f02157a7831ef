# Each line calls cargo or `cargo xtask`, so that the desk and the continuous integration do the same.
.DEFAULT_GOAL := help
.PHONY: help run test lint format bench package docker-build docker-run hooks clean

help:         ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

# Release: its cold build takes no longer than the debug one (`cargo xtask footprint`), and the figures it
# shows about itself are the real ones.
run:          ## watch this machine: http://127.0.0.1:9595/
	cargo run --release --package campanile -- serve

test:         ## everything a change must pass
	cargo --locked xtask ci

lint:         ## format, rules of the house and clippy, without tests
	cargo fmt --all --check
	cargo xtask tidy
	cargo clippy --workspace --all-targets -- -D warnings

format:       ## format the sources
	cargo fmt --all

bench:        ## the project's benchmarks
	cargo xtask bench

package:      ## the Debian package, in target/debian
	cargo xtask package

docker-build: ## the image campanile:dev
	docker build --file deploy/docker/Dockerfile --tag campanile:dev .

docker-run:   ## the image, at http://127.0.0.1:9595/
	docker run --rm --name campanile --publish 127.0.0.1:9595:9595 campanile:dev

hooks:        ## check each commit before it is made
	git config core.hooksPath .githooks

clean:        ## remove what was built
	cargo clean
