package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// claim takes an output for a candidate. Names that differ in case alone are one name on many disks.
func (p *planner) claim(output string, line int32) (other int32, clash bool) {
	key := hashText(strings.ToLower(output))
	if other, clash = p.taken[key]; clash {
		return other, true
	}
	p.taken[key] = line
	return 0, false
}

// reachable says what keeps a folder from lying in the output folder, symbolic links followed.
func (p *planner) reachable(folder string) error {
	if folder == p.safe {
		return nil
	}
	root := p.plan.Output
	if !within(root, folder) {
		return fmt.Errorf("it lies outside %s", root)
	}
	relative, err := filepath.Rel(root, folder)
	if err != nil {
		return err
	}
	at := root
	for part := range strings.SplitSeq(relative, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if notThere(err) {
			break // nor is anything below it
		}
		if err != nil {
			return err
		}
		if info.Mode()&os.ModeSymlink != 0 {
			if info, err = p.linked(at); err != nil {
				return err
			}
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is no folder", at)
		}
	}
	p.safe = folder
	return nil
}

// linked is what a link in the output folder leads to, which has to be there too.
func (p *planner) linked(link string) (os.FileInfo, error) {
	root, err := filepath.EvalSymlinks(p.plan.Output)
	if err != nil {
		return nil, err
	}
	end, err := filepath.EvalSymlinks(link)
	if notThere(err) {
		return nil, fmt.Errorf("%s is a link to nothing", link)
	}
	if err != nil {
		return nil, err
	}
	if !within(root, end) {
		return nil, fmt.Errorf("%s leads outside %s", link, p.plan.Output)
	}
	return os.Stat(end)
}

// within says that a path is a folder or lies below it. Links are not followed.
func within(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}
