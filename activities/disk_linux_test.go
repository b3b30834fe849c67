package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// outputs is a folder for outputs on a disk of its own, with a job that has an output of so many bytes.
type outputs struct {
	*bench
	disk, folder string
	job          string
	size         int64
}

func newOutputs(t *testing.T, diskSize string, size int64) *outputs {
	t.Helper()
	o := &outputs{bench: newBench(t, testkit.WithEngines(copying())), disk: testkit.Mount(t, diskSize), size: size}
	o.folder = filepath.Join(o.disk, "out")
	path := filepath.Join(o.dir, "a.md")
	writeRandom(t, path, size)
	up, err := run[UploadFileResult](t, o.bench, o.steps.UploadFile, UploadFileInput{Source: testkit.FileURL(path), Name: "a.md"})
	require.NoError(t, err)
	job, err := run[CreateConversionResult](t, o.bench, o.steps.CreateConversion, CreateConversionInput{FileID: up.FileID, SourceFormat: "md", TargetFormat: "txt"})
	require.NoError(t, err)
	_, err = run[AwaitConversionResult](t, o.bench, o.steps.AwaitConversion, AwaitConversionInput{JobID: job.JobID})
	require.NoError(t, err)
	o.job = job.JobID
	return o
}

func (o *outputs) download(t *testing.T) (DownloadResultsResult, error) {
	t.Helper()
	return run[DownloadResultsResult](t, o.bench, o.steps.DownloadResults, DownloadResultsInput{
		JobID: o.job, To: Destination{Folder: testkit.FileURL(o.folder), Stem: "a", Format: "txt"},
	})
}

// refused is the failure of a step that has the given code and says what to do about which path.
func refused(t *testing.T, err error, retried bool, code, path string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	detail, ok := FailureOf(err)
	require.True(t, ok)
	t.Logf("%s  retried %v  %s", detail.Code, !app.NonRetryable(), detail.Message)
	assert.Equal(t, code, detail.Code)
	assert.Equal(t, retried, !app.NonRetryable(), "retried")
	assert.Contains(t, detail.Message, path)
	assert.Contains(t, detail.Message, "; ", "what, and what to do about it")
	assert.NotContains(t, detail.Message, "\n")
}

// names is what lies in a folder and below.
func names(t *testing.T, folder string) []string {
	t.Helper()
	found := []string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(folder, path)
			found = append(found, name)
		}
		return err
	}))
	return found
}

// fill takes all the space of a disk but for so many KiB.
func fill(t *testing.T, disk string, leave int64) (release func()) {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	file, err := os.Create(path)
	require.NoError(t, err)
	_, err = io.Copy(file, zeros{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	at, err := file.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.NoError(t, file.Truncate(max(0, at-leave<<10)))
	require.NoError(t, file.Close())
	return func() { require.NoError(t, os.Remove(path)) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestADownloadGoesOnWhenThereIsSpace(t *testing.T) {
	o := newOutputs(t, "4m", 2<<20)
	release := fill(t, o.disk, 1<<10)
	_, err := o.download(t)
	refused(t, err, true, CodeDiskFull, o.folder)
	assert.NoFileExists(t, filepath.Join(o.folder, "a.txt"))
	left := names(t, o.folder)
	require.Len(t, left, 2, "the part and its notes stay: what is there need not be fetched again")
	info, err := os.Stat(filepath.Join(o.folder, left[0]))
	require.NoError(t, err)

	release()
	counted := countServed(o.Service)
	got, err := o.download(t)
	require.NoError(t, err)
	assert.Equal(t, []string{"a.txt"}, names(t, o.folder))
	assert.Equal(t, fileSum(t, filepath.Join(o.dir, "a.md")), fileSum(t, got.Outputs[0].Path))
	assert.Less(t, counted(), o.size-info.Size()+512<<10, "of %d bytes %d were there", o.size, info.Size())
}

// countServed counts the bytes of results that a service sends from now on.
func countServed(s *testkit.Service) (served func() int64) {
	counts := make(chan int64, 100)
	s.Around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/storage/") {
				next.ServeHTTP(w, r)
				return
			}
			out := &countingReply{ResponseWriter: w}
			defer func() { counts <- out.sent }()
			next.ServeHTTP(out, r)
		})
	})
	return func() (sum int64) {
		s.Around(nil)
		for sum = <-counts; len(counts) > 0; {
			sum += <-counts
		}
		return sum
	}
}

type countingReply struct {
	http.ResponseWriter
	sent int64
}

func (w *countingReply) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

func TestNoSpaceForAFolderOrAnyPart(t *testing.T) {
	o := newOutputs(t, "64k,nr_inodes=3", 1<<10) // the root, the ballast, and one more
	release := fill(t, o.disk, 0)
	require.NoError(t, os.WriteFile(filepath.Join(o.disk, "last"), nil, 0o600))
	_, err := o.download(t)
	refused(t, err, true, CodeDiskFull, o.folder)
	assert.NoDirExists(t, o.folder)
	release()
}

func TestOutputsOnAReadOnlyDisk(t *testing.T) {
	o := newOutputs(t, "4m", 1<<20)
	require.NoError(t, os.Mkdir(o.folder, 0o755))
	testkit.MountReadOnly(t, o.disk)
	_, err := o.download(t)
	refused(t, err, false, CodeOutputFolder, o.folder)
	assert.Empty(t, names(t, o.disk))
	o.folder = filepath.Join(o.disk, "new")
	_, err = o.download(t)
	refused(t, err, false, CodeOutputFolder, o.folder)
}

// during does something in the middle of the next download, which may fail before that is done.
func (o *outputs) during(t *testing.T, do func()) (done <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{})
	o.Around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/storage/") {
				w = &midway{ResponseWriter: w, do: func() { do(); close(ended) }}
			}
			next.ServeHTTP(w, r)
		})
	})
	return ended
}

// midway does something before the second piece of a reply is sent; the first is on its way, or there, then.
type midway struct {
	http.ResponseWriter
	pieces int
	do     func()
}

func (w *midway) Write(p []byte) (int, error) {
	if w.pieces++; w.pieces == 2 {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		w.do()
	}
	return w.ResponseWriter.Write(p)
}

// remove removes a folder at once. Somebody who is writing into it could make a new file while its files are removed one by
// one.
func remove(t *testing.T, folder string) {
	t.Helper()
	gone := folder + "-gone"
	assert.NoError(t, os.Rename(folder, gone))
	assert.NoError(t, os.RemoveAll(gone))
}

func TestAnOutputFolderThatVanishes(t *testing.T) {
	o := newOutputs(t, "8m", 1<<20)
	removed := o.during(t, func() { remove(t, o.folder) })
	_, err := o.download(t)
	refused(t, err, true, CodeOutputGone, o.folder)
	<-removed
	assert.Empty(t, names(t, o.disk))
	o.Around(nil)
	got, err := o.download(t)
	require.NoError(t, err, "it is made again")
	assert.Equal(t, fileSum(t, filepath.Join(o.dir, "a.md")), fileSum(t, got.Outputs[0].Path))
	assert.Equal(t, []string{"a.txt"}, names(t, o.folder))
}

func TestAnOutputFolderThatBecomesAFile(t *testing.T) {
	o := newOutputs(t, "8m", 1<<20)
	replaced := o.during(t, func() {
		file := o.folder + "-file"
		assert.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
		// At once: a folder that is not there, for however short, is another case.
		assert.NoError(t, unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, o.folder, unix.RENAME_EXCHANGE))
		assert.NoError(t, os.RemoveAll(file))
	})
	_, err := o.download(t)
	refused(t, err, false, CodeOutputFolder, o.folder)
	<-replaced
	assert.Equal(t, []string{"out"}, names(t, o.disk))
	data, err := os.ReadFile(o.folder)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(data))
}

// What needs a disk, or a user, that a test cannot have: as the system calls report it.
func TestWhatTheDiskSays(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	const part = "/mnt/out/.convilyn-run-0.part"
	for number, want := range map[syscall.Errno]struct {
		retried bool
		code    string
	}{
		syscall.ENOSPC:       {true, CodeDiskFull},
		syscall.EDQUOT:       {true, CodeDiskFull},
		syscall.ENOENT:       {true, CodeOutputGone},
		syscall.ESTALE:       {true, CodeOutputGone},
		syscall.EIO:          {true, CodeOutputFolder},
		syscall.EROFS:        {false, CodeOutputFolder},
		syscall.EACCES:       {false, CodeOutputFolder},
		syscall.EPERM:        {false, CodeOutputFolder},
		syscall.ENOTDIR:      {false, CodeOutputFolder},
		syscall.EISDIR:       {false, CodeOutputFolder},
		syscall.ELOOP:        {false, CodeOutputFolder},
		syscall.ENAMETOOLONG: {false, CodeOutputFolder},
		syscall.EFBIG:        {false, CodeOutputTooLarge},
	} {
		t.Run(fmt.Sprintf("number %v", number), func(t *testing.T) {
			b.steps.convert = &refusing{Convert: b.Client.Convert, err: fmt.Errorf("write the download to disk: %w", &fs.PathError{Op: "write", Path: part, Err: number})}
			_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: Destination{Folder: testkit.FileURL(b.dir), Stem: "a", Format: "html"}})
			refused(t, err, want.retried, want.code, "/mnt/out")
			for _, step := range []error{
				&os.LinkError{Op: "rename", Old: part, New: "/mnt/out/a", Err: number}, &fs.PathError{Op: "mkdir", Path: "/mnt/out", Err: number}, number,
			} {
				assert.Equal(t, want.code, classify(fmt.Errorf("while at it: %w", step)).code)
				kept := classify(patient(step))
				assert.Equal(t, FailureUnavailable, kept.kind)
				assert.False(t, kept.final)
			}
		})
	}
	assert.Equal(t, CodeUnavailable, classify(&client.TransportError{Err: syscall.EPERM}).code, "a firewall is no disk")
}

// refusing fails to write what it fetches.
type refusing struct {
	Convert
	err error
}

func (r *refusing) Fetch(context.Context, client.ResultFile, client.FetchOptions) (*client.Downloaded, error) {
	return nil, r.err
}

// A batch is not given up because the place of its report is full or locked for a while.
func TestReportsWaitForTheirDisk(t *testing.T) {
	b := newBench(t)
	disk := testkit.Mount(t, "64k")
	in := WriteReportPartInput{Folder: filepath.Join(disk, "batch"), Part: "s000-000001"}
	require.NoError(t, os.Mkdir(in.Folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(in.Folder, manifest.PlanFile), nil, 0o600))
	plan := "batch/" + manifest.PlanFile
	for i := range 200 {
		in.Entries = append(in.Entries, BatchEntry{Index: i, Status: manifest.StatusCancelled, FileID: strings.Repeat("f", 400)})
	}
	write := func() error {
		_, err := b.env.ExecuteActivity(b.steps.WriteReportPart, in)
		return err
	}
	refused(t, write(), true, CodeDiskFull, disk)
	assert.Equal(t, []string{plan}, names(t, disk), "nothing half written stays in the way")
	in.Entries = in.Entries[:20]
	require.NoError(t, write())
	assert.Equal(t, []string{"batch/parts/s000-000001.jsonl", plan}, names(t, disk))
	testkit.MountReadOnly(t, disk)
	refused(t, write(), true, CodeOutputFolder, disk)
	assert.Equal(t, []string{"batch/parts/s000-000001.jsonl", plan}, names(t, disk))
}

func TestAPlanThatDoesNotFit(t *testing.T) {
	b := newBench(t)
	disk := testkit.Mount(t, "64k")
	var lines strings.Builder
	source := b.write(t, "a.md", "x")
	for i := range 2000 {
		_, _ = fmt.Fprintf(&lines, `{"source":"%s","dest":"%04d"}`+"\n", strings.TrimPrefix(source, "file://"), i)
	}
	b.write(t, "m.jsonl", lines.String())
	in := PlanBatchInput{Name: "x", Spec: BatchSpec{Source: filepath.Join(b.dir, "m.jsonl"), To: "html", Output: filepath.Join(disk, "out"), OnExist: OnExistFail}}
	_, err := run[BatchPlan](t, b, b.steps.PlanBatch, in)
	refused(t, err, true, CodeDiskFull, disk)
	assert.Empty(t, names(t, disk))
}

// A limit of the process stands for a file system that takes no large files.
func TestAFileThatMayNotBeSoLarge(t *testing.T) {
	o := newOutputs(t, "8m", 2<<20)
	worker := startProcess(t, roleWorker)
	limit := &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	require.NoError(t, unix.Prlimit(worker.cmd.Process.Pid, unix.RLIMIT_FSIZE, limit, nil))
	worker.tell(t, address{URL: o.URL, Key: o.Key()})
	worker.tell(t, order{JobID: o.job, Folder: o.folder})
	var got done
	worker.answer(t, &got)
	assert.Contains(t, got.Error, "OUTPUT_TOO_LARGE: "+o.folder+" cannot hold a file as large as this one; choose another output (type: OutputRefused, retryable: false)")
	assert.Empty(t, names(t, o.disk))
}

func TestErrorsOfTheDiskAreFoundWithoutOne(t *testing.T) {
	assert.Nil(t, diskFault(errors.New("anything else")))
	assert.Nil(t, diskFault(syscall.ECONNRESET))
	assert.Equal(t, errors.New("anything else"), patient(errors.New("anything else")))
}
