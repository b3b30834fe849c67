package activities

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// A file may have any name that the system takes.
func TestUploadFile_TakesAnyName(t *testing.T) {
	for _, name := range []string{
		"tab\there.md", "new\nline.md", "esc\x1b[31mred.md", "bad\xff\xfename.md", "pct%41#?&.md", "back\\slash.md", "__0x9__.md", " .md", "ü ✓.md",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(t, name, "content")
			got, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: testkit.FileURL(b.dir + "/" + name), Name: "a.md"})
			require.NoError(t, err)
			assert.EqualValues(t, len("content"), got.Size)
		})
	}
}

// /proc answers that a folder is not there, as one does that was just removed; the one is final, the other is not.
func TestDownloadResults_WhereNoFolderCanBe(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	for name, folder := range map[string]string{"proc": "/proc/x", "below": "/proc/x/y", "not UTF-8": b.dir + "/bad\xff"} {
		t.Run(name, func(t *testing.T) {
			_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{
				JobID: job, To: Destination{Folder: testkit.FileURL(folder), Stem: "a", Format: "html"},
			})
			failure := failureOf(t, err, FailureOutput)
			if name == "not UTF-8" {
				assert.Equal(t, CodeBadArgument, failure.Code)
				assert.Contains(t, failure.Message, `bad\xff`)
				return
			}
			assert.Equal(t, CodeOutputFolder, failure.Code)
			assert.Contains(t, failure.Message, "no folder can be made in /proc")
		})
	}
}
