# Sourced by the findings. fetch SUITE PACKAGE=VERSION ... unpacks packages of
# Debian, with all that they need, into $work/SUITE, and makes $work/SUITE/ffmpeg
# and ffprobe run from there. Nothing is installed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() {
	suite=$1
	shift
	dir=$work/$suite
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/root"
	: >"$dir/status"
	site=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/\{0,1\}$')
	security=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian-security/\{0,1\}$' || echo "$site")
	key=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
	{
		echo "deb [$key] $site $suite main"
		[ "$security" = "$site" ] || echo "deb [$key] $security $suite-security main"
	} >"$dir/sources.list"
	for step in "update" "install -y --no-install-recommends --download-only $*"; do
		# shellcheck disable=SC2086 # the words are several arguments
		apt-get -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
			-o Dir::Etc::PreferencesParts=/dev/null -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
			-o Acquire::Languages=none $step >>"$dir/log" 2>&1 || { tail -n 20 "$dir/log" >&2; exit 2; }
	done
	for package in "$dir"/cache/archives/*.deb; do
		dpkg-deb -x "$package" "$dir/root"
	done
	rm -rf "$dir/cache" "$dir/state"
	for program in ffmpeg ffprobe; do
		cat >"$dir/$program" <<WRAPPER
#!/bin/sh
lib=\$(echo $dir/root/usr/lib/*-linux-gnu)
loader=\$(ls \$lib/ld-linux-*.so.* $dir/root/lib/*-linux-gnu/ld-linux-*.so.* 2>/dev/null | head -n 1)
exec "\$loader" --library-path "\$lib:\$(dirname "\$loader"):\$lib/pulseaudio:\$lib/blas:\$lib/lapack" $dir/root/usr/bin/$program "\$@"
WRAPPER
		chmod 755 "$dir/$program"
	done
}

# expect NAME GOT WANT
expect() {
	if [ "$2" = "$3" ]; then
		echo "as seen: $1: $2"
	else
		echo "changed: $1: $2, and was $3"
		changed=1
	fi
}
changed=0
