package sandbox

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// process is a line of the system's list.
type process struct{ pid, parent, group int }

// family lists the process root, what came of it, and its group. Orphans have another parent by then; they are
// found where the group or a PID namespace keeps them.
func family(root int) []int {
	all := processes()
	member := map[int]bool{}
	for _, p := range all {
		member[p.pid] = p.pid == root || p.group == root
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !member[p.pid] && member[p.parent] {
				member[p.pid], grown = true, true
			}
		}
	}
	var out []int
	for pid, ok := range member {
		if ok {
			out = append(out, pid)
		}
	}
	return out
}

// processes is empty where there is no /proc.
func processes() []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			out = append(out, p)
		}
	}
	return out
}

// readProcess reads "pid (name) state parent group ..."; the name may hold anything.
func readProcess(pid int) (process, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 3 || string(fields[0]) == "Z" {
		return process{}, false
	}
	p := process{pid: pid}
	p.parent, _ = strconv.Atoi(string(fields[1]))
	p.group, _ = strconv.Atoi(string(fields[2]))
	return p, true
}

// held is how many processes a family has, and the bytes of memory that are theirs: what is mapped from files
// can be had again, and is left out.
func held(root int) (count int, memory int64) {
	members := family(root)
	for _, pid := range members {
		memory += ownMemory(pid)
	}
	return len(members), memory
}

func ownMemory(pid int) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	var all int64
	for line := range bytes.Lines(data) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		if fields := bytes.Fields(rest); len(fields) == 2 && (string(name) == "RssAnon" || string(name) == "RssShmem") {
			kilobytes, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			all += kilobytes << 10
		}
	}
	return all
}

func folderSize(folder string) int64 {
	var all int64
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it vanished meanwhile
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			all += info.Size()
		}
		return nil
	})
	return all
}

// killAll ends a program's group, and by the mark in their environment those that left it.
func killAll(root int, mark string) {
	_ = syscall.Kill(-root, syscall.SIGKILL)
	if namespaced() {
		return // they ended with the first process
	}
	for found := true; found; { // until those that fork in between are gone, too
		found = false
		for _, p := range processes() {
			if p.group == root || marked(p.pid, mark) {
				found = syscall.Kill(p.pid, syscall.SIGKILL) == nil || found
			}
		}
	}
}

func marked(pid int, mark string) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for variable := range bytes.SplitSeq(data, []byte{0}) {
		if string(variable) == mark {
			return true
		}
	}
	return false
}
