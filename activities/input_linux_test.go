package activities

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestInputsThatAreNoFiles(t *testing.T) {
	b := newBench(t)
	at := func(name string) string { return filepath.Join(b.dir, name) }
	require.NoError(t, unix.Mkfifo(at("pipe.md"), 0o600))
	require.NoError(t, os.Mkdir(at("folder.md"), 0o700))
	require.NoError(t, os.Symlink("loop.md", at("loop.md")))
	require.NoError(t, os.Symlink("nothing", at("dangling.md")))
	b.write(t, "file", "x")
	for _, test := range []struct{ path, code, text string }{
		{at("pipe.md"), CodeInputUnreadable, "is a pipe; only regular files are converted"},
		{at("folder.md"), CodeInputUnreadable, "is a folder; only regular files are converted"},
		{"/dev/zero", CodeInputUnreadable, "is a device; only regular files are converted"},
		{at("loop.md"), CodeInputUnreadable, "is a link that leads back to itself; name the file"},
		{at("dangling.md"), CodeInputMissing, "does not exist; put it there and start again"},
		{at("file/a.md"), CodeInputMissing, "does not exist; put it there and start again"},
		{at(strings.Repeat("a", 300) + ".md"), CodeInputUnreadable, "has too long a name; rename it"},
	} {
		t.Run(test.path, func(t *testing.T) {
			_, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: testkit.FileURL(test.path), Name: "a.md"})
			refused(t, err, false, test.code, test.path)
			assert.ErrorContains(t, err, test.text)
		})
	}
	assert.Zero(t, b.Requests("POST", client.PathUploadPresign))
}

func TestAnInputThatMayNotBeRead(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "a.md")
	b.write(t, "a.md", "x")
	require.NoError(t, os.Chmod(path, 0))
	if os.Geteuid() == 0 { // root may read everything
		runtime.LockOSThread()
		require.NoError(t, unix.Setfsuid(65534))
		t.Cleanup(func() {
			_ = unix.Setfsuid(0)
			runtime.UnlockOSThread()
		})
	}
	source, err := New(API{}, 0, nil).openSource(testkit.FileURL(path))
	if !assert.Error(t, err) {
		source.Close()
		return
	}
	v := classify(err)
	assert.True(t, v.final)
	assert.Equal(t, CodeInputUnreadable, v.code)
	assert.Contains(t, v.text, "/a.md may not be read by the worker; make it readable and start again")
}

func TestWhatTheDiskOfAnInputSays(t *testing.T) {
	for number, final := range map[syscall.Errno]bool{syscall.EIO: true, syscall.ESTALE: false, syscall.ETIMEDOUT: false, syscall.EACCES: true} {
		t.Run(fmt.Sprintf("number %v", number), func(t *testing.T) {
			v := classify(readError("file:///mnt/in/a.md", &fs.PathError{Op: "read", Path: "/mnt/in/a.md", Err: number}))
			assert.Equal(t, final, v.final, "%v", number)
			assert.Equal(t, CodeInputUnreadable, v.code)
			assert.Contains(t, v.text, "file:///mnt/in/a.md")
		})
	}
}

// What may happen to an input while it is on its way. Where the run knows the content that it was started for, only
// that matters; where it does not, what was read must be what is there.
func TestAnInputThatChangesWhileItUploads(t *testing.T) {
	const size = 12 << 20 // more than the sockets between the two can hold
	for name, test := range map[string]struct {
		change func(t *testing.T, path string)
		code   string // empty where it is uploaded all the same
		pinned string // likewise, where the content is known
	}{
		"nothing":       {func(*testing.T, string) {}, "", ""},
		"grows":         {func(t *testing.T, path string) { t.Helper(); write(t, path, os.O_APPEND, 0) }, CodeInputChanged, CodeInputChanged},
		"shrinks":       {func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Truncate(path, size/2)) }, CodeInputChanged, CodeInputChanged},
		"becomes empty": {func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Truncate(path, 0)) }, CodeInputChanged, CodeInputChanged},
		"its end":       {func(t *testing.T, path string) { t.Helper(); write(t, path, 0, size-100) }, CodeInputChanged, CodeInputChanged},
		"its beginning": {func(t *testing.T, path string) { t.Helper(); write(t, path, 0, 0) }, CodeInputChanged, ""},
		"is touched":    {touch, CodeInputChanged, ""},
		"vanishes":      {func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Remove(path)) }, CodeInputMissing, ""},
		"is replaced":   {replace, CodeInputChanged, ""},
		"becomes a link": {func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink(path, path))
		}, CodeInputUnreadable, ""},
	} {
		for _, pinned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, pinned %v", name, pinned), func(t *testing.T) {
				b := newBench(t)
				path := filepath.Join(b.dir, "a.md")
				sum := writeRandom(t, path, size)
				b.Around(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.ContentLength > size {
							r.Body = &midRead{ReadCloser: r.Body, do: func() { test.change(t, path) }}
						}
						next.ServeHTTP(w, r)
					})
				})
				in, code := UploadFileInput{Source: testkit.FileURL(path), Name: "a.md"}, test.code
				if pinned {
					in.SHA256, code = sum, test.pinned
				}
				got, err := run[UploadFileResult](t, b, b.steps.UploadFile, in)
				if code != "" {
					refused(t, err, false, code, path)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, sum, got.SHA256)
			})
		}
	}
}

// midRead does something when the beginning of a file has arrived, which the form's fields are much shorter than.
type midRead struct {
	io.ReadCloser
	read int
	do   func()
}

func (r *midRead) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.read += n; r.read > 128<<10 && r.do != nil {
		r.do()
		r.do = nil
	}
	return n, err
}

// write changes some bytes in place. The time moves with it whatever the file system's clock does.
func write(t *testing.T, path string, flags int, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|flags, 0)
	require.NoError(t, err)
	if flags == 0 {
		_, err = file.Seek(at, io.SeekStart)
		require.NoError(t, err)
	}
	_, err = file.WriteString("other bytes")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	touch(t, path)
}

func touch(t *testing.T, path string) {
	t.Helper()
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(path, later, later))
}

// replace puts another file of the same size and time in the place.
func replace(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	writeRandom(t, path+".new", info.Size())
	require.NoError(t, os.Chtimes(path+".new", info.ModTime(), info.ModTime()))
	require.NoError(t, os.Rename(path+".new", path))
}
