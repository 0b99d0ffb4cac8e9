//! The `tyrian` binary.

/// It gives memory back after a burst, which the C library's does not, and is quicker besides: `cargo bench
/// --bench load` tells both.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    tyrian::cli::main()
}
