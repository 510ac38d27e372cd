# Lists what this shell has open, but for this file.
for fd in /proc/$$/fd/*; do
	[ -e "$fd" ] || continue # the directory that was read for the list
	[ "$fd" -ef "$0" ] && continue
	printf '%s ' "${fd##*/}"
	readlink "$fd"
done
