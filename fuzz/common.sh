# Shared by the run-* scripts: options of every run. Source it with $name set.
# A harness gets a copy of its seeds: the repository's never change by themselves.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
options=(-max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=0)
[ -f "$here/$name/dictionary" ] && options+=(-dict="$here/$name/dictionary")

# A work directory with the seeds in corpus/, gone at the end; the caller's directory afterwards.
fuzz_work() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/corpus"
	cp "$here/$name/seeds/"* "$work/corpus/"
	cd "$work"
}
