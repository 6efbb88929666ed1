# shellcheck shell=bash
# The cgroup below which all pods of this cluster are, under every controller.
# Whatever runs in it belongs to the cluster.

# cgroup_roots: one folder for each hierarchy: several of version 1, or the one of version 2.
cgroup_roots() {
    local folder
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        printf '/sys/fs/cgroup\n'
        return
    fi
    for folder in /sys/fs/cgroup/*/; do
        # Links such as cpu,cpuacct lead to another of these folders.
        [[ -L "${folder%/}" || ! -e "$folder/cgroup.procs" ]] || printf '%s\n' "${folder%/}"
    done
}

make_cgroup() {
    local root controller setting
    while read -r root; do
        if [[ -e "$root/cgroup.controllers" ]]; then
            for controller in $(<"$root/cgroup.controllers"); do
                printf '+%s\n' "$controller" >"$root/cgroup.subtree_control" 2>/dev/null || true
            done
        fi
        mkdir -p "$root/$CGROUP"
        # A new cpuset is empty, and nothing can run in it.
        for setting in cpuset.cpus cpuset.mems; do
            [[ -e "$root/cgroup.controllers" || ! -e "$root/$CGROUP/$setting" ]] || cat "$root/$setting" >"$root/$CGROUP/$setting"
        done
    done < <(cgroup_roots)
}

# cgroup_pids: every process in it, in any hierarchy.
cgroup_pids() {
    local root
    while read -r root; do
        [[ ! -d "$root/$CGROUP" ]] || find "$root/$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done < <(cgroup_roots) | sort -un
}

# remove_cgroup: false as long as something is left.
remove_cgroup() {
    local root left=0
    while read -r root; do
        [[ -d "$root/$CGROUP" ]] || continue
        # Deepest first; only rmdir works here.
        find "$root/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [[ ! -d "$root/$CGROUP" ]] || left=1
    done < <(cgroup_roots)
    ((left == 0))
}
