package sandbox

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox/launch"
)

// system is what every program may read, where it is there: programs, libraries, fonts, and settings that concern how
// a document looks. Passed over: all of /etc, which has keys and passwords.
var system = strings.Fields(`
	/usr /bin /sbin /lib /lib32 /lib64 /libx32 /nix/store /gnu/store
	/etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/alternatives
	/etc/passwd /etc/group /etc/nsswitch.conf /etc/localtime /etc/timezone /etc/os-release /etc/machine-id
	/etc/fonts /var/cache/fontconfig /etc/papersize /etc/paperspecs /etc/mime.types /etc/mailcap /etc/magic /etc/xdg
	/etc/ssl/certs /etc/ssl/openssl.cnf /etc/ca-certificates.conf /etc/pki/tls/certs /etc/pki/ca-trust/extracted /etc/crypto-policies
	/etc/libreoffice /var/lib/libreoffice /etc/openoffice /etc/chromium /etc/chromium.d /etc/calibre /etc/python3 /etc/python3.11
	/etc/python3.12 /etc/python3.13 /etc/gtk-2.0 /etc/gtk-3.0 /etc/glvnd /etc/vulkan /etc/openal /etc/pulse /etc/OpenCL /etc/drirc
	/etc/vdpau_wrapper.cfg /etc/ImageMagick-6 /etc/ImageMagick-7 /etc/ghostscript /var/lib/ghostscript /etc/dictionaries-common
	/var/cache/dictionaries-common /etc/java-17-openjdk /etc/java-21-openjdk /etc/sensors3.conf /etc/terminfo
`)

// ofSystem is what of it is here. It does not change while this process lives.
var ofSystem = sync.OnceValues(func() (binds []launch.Bind, links map[string]string) {
	links = map[string]string{}
	for _, path := range system {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if info.Mode()&os.ModeSymlink == 0 {
			binds = append(binds, launch.Bind{Path: path})
		} else if target, err := os.Readlink(path); err == nil {
			links[path] = target
		}
	}
	return binds, links
})

// view is what the call of a program sees.
func view(c Command, program string) ([]launch.Bind, map[string]string, error) {
	system, links := ofSystem()
	binds := slices.Clone(system)
	add := func(write bool, paths ...string) error {
		for _, path := range paths {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return fmt.Errorf("find %s: %w", path, err)
			}
			if _, err := os.Stat(absolute); err == nil { // what is not there cannot be seen
				binds = append(binds, launch.Bind{Path: absolute, Write: write})
			}
		}
		return nil
	}
	reads := append(slices.Clone(c.Reads), installed(program)...)
	for _, other := range c.Programs {
		if found, err := exec.LookPath(other); err == nil {
			reads = append(reads, installed(found)...)
		}
	}
	if err := add(false, reads...); err != nil {
		return nil, nil, err
	}
	if err := add(true, append(append([]string{c.Home}, c.Folders...), c.Writes...)...); err != nil {
		return nil, nil, err
	}
	return unique(binds), links, nil
}

// unique has each path once; the last of it counts.
func unique(binds []launch.Bind) []launch.Bind {
	last := map[string]launch.Bind{}
	for _, bind := range binds {
		last[bind.Path] = bind
	}
	return slices.Collect(maps.Values(last))
}

// installed is where a program that is not the system's keeps what it needs: its folder, or the one above where that
// is how such programs are laid out. This program needs its file alone.
func installed(program string) []string {
	resolved, err := filepath.EvalSymlinks(program)
	if err != nil {
		return nil
	}
	if own, err := os.Executable(); err == nil && (own == program || own == resolved) {
		return []string{program, resolved}
	}
	var out []string
	for _, path := range []string{program, resolved} {
		if !ofTheSystem(path) {
			out = append(out, folderOf(path))
		}
	}
	return out
}

func ofTheSystem(path string) bool {
	return slices.ContainsFunc(system, func(folder string) bool { return strings.HasPrefix(path, folder+"/") })
}

// folderOf is what a program that is not the system's needs to see; of a person's home or of / itself no more than the file.
func folderOf(program string) string {
	folder := filepath.Dir(program)
	if home, err := os.UserHomeDir(); folder == "/" || err == nil && folder == filepath.Clean(home) {
		return program
	}
	if filepath.Base(folder) == "program" { // as LibreOffice is laid out, with its fonts and filters beside
		return filepath.Dir(folder)
	}
	return folder
}
