package scratch_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// written is a file with this content.
func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func assertRefused(t *testing.T, content, format string) {
	t.Helper()
	refusal, ok := engines.AsError(scratch.CheckMagic(written(t, content), format))
	require.True(t, ok, "%s %.20q", format, content)
	assert.Equal(t, engines.CodeUnsupportedInput, refusal.Code)
}

func TestCheckMagic(t *testing.T) {
	ftyp := func(brand string) string { return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00" }
	matroska := func(kind string) string {
		return "\x1A\x45\xDF\xA3\x93\x42\x82" + string([]byte{0x80 + byte(len(kind))}) + kind
	}
	palm := string(make([]byte, 60)) + "BOOKMOBI"
	for format, contents := range map[string][]string{
		"png": {"\x89PNG\r\n\x1a\n..."}, "jpg": {"\xFF\xD8\xFF\xE0"}, "webp": {"RIFF....WEBPVP8 "}, "wav": {"RIFF....WAVEfmt "}, "avi": {"RIFF....AVI LIST...."},
		"heic": {ftyp("heic"), ftyp("mif1")}, "avif": {ftyp("avif")}, "mp4": {ftyp("isom")}, "m4a": {ftyp("M4A ")}, "mov": {ftyp("qt  "), "\x00\x00\x00\x08wide"},
		"mp3": {"ID3\x03\x00\x00\x00\x00\x00\x0A", "\xFF\xFB\x90"}, "svg": {"<svg xmlns=''>", "\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- a drawing -->\n<!DOCTYPE svg>\n<svg\n>"},
		"epub": {"PK\x03\x04..........................mimetypeapplication/epub+zip"}, "docx": {"PK\x03\x04"}, "mobi": {palm}, "azw3": {palm},
		"html": {"<p>", "text <b>", "\xFF\xFE<\x00"}, "md": {"# T", "\xFE\xFF\x00T"}, "txt": {"plain", "BM is how this begins", "MZ"}, "pdf": {"%PDF-1.7"},
		"mkv": {matroska("matroska")}, "webm": {matroska("webm")}, "rtf": {"{\\rtf1 x}"}, "jp2": {"\xFF\x4F\xFF\x51"}, "ppm": {"P6 1 1 255 \x00\x00\x00"},
	} {
		t.Run(format, func(t *testing.T) {
			for _, content := range contents {
				assert.NoError(t, scratch.CheckMagic(written(t, content), format), "%q", content)
			}
			for _, content := range []string{"", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F", "PK\x05\x06\x00", "\xFF"} {
				if format == "md" || format == "txt" {
					content += "\x00"
				}
				assertRefused(t, content, format)
			}
		})
	}
	assert.Error(t, scratch.CheckMagic(written(t, "x"), "no such format"))
}

// Office documents are archives all of them; one under another's name would be read by the wrong reader.
func TestCheckMagic_TellsOfficeDocumentsApart(t *testing.T) {
	for format, other := range map[string]string{"docx": "xlsx", "xlsx": "docx"} {
		t.Run(format, func(t *testing.T) {
			name := map[string]string{"docx": "letter.docx", "xlsx": "budget.xlsx"}[format]
			content := string(testkit.Examples(t, name))
			require.NoError(t, scratch.CheckMagic(written(t, content), format))
			for _, wrong := range []string{other, "pptx", "odt", "ods", "epub", "doc"} {
				assertRefused(t, content, wrong)
			}
		})
	}
	odt := "PK\x03\x04..........................mimetypeapplication/vnd.oasis.opendocument.textPK"
	require.NoError(t, scratch.CheckMagic(written(t, odt), "odt"))
	assertRefused(t, odt, "docx")
	assertRefused(t, odt, "ods")
}

// An input that is not there, and a folder that is removed with its end.
func TestAPlaceHasAnEnd(t *testing.T) {
	input := filepath.Join(t.TempDir(), "in")
	in := engines.Request{Source: "txt", Target: "pdf", InputPath: input, OutDir: t.TempDir(), Stem: "s"}
	_, err := scratch.Open(t.Context(), in, "test")
	require.ErrorContains(t, err, "open txt")
	require.NoError(t, os.WriteFile(input, []byte("text"), 0o600))
	place, err := scratch.Open(t.Context(), in, "test")
	require.NoError(t, err)
	copied, err := os.ReadFile(place.Input)
	require.NoError(t, err)
	assert.Equal(t, "text", string(copied))
	said, err := place.Run(t.Context(), "sh", []string{"-c", "pwd; echo gone wrong: " + place.Output + " >&2; exit 3"}, nil)
	require.NoError(t, err, "the output decides, not the exit code")
	_, err = place.Keep(said, nil)
	require.EqualError(t, err, "CONVERSION_FAILED: test made no pdf of this file; it said: gone wrong: output.pdf")
	_, err = place.Run(t.Context(), "no-such-program-anywhere", nil, nil)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(place.Output, []byte("%PDF-1.7"), 0o600))
	result, err := place.Keep("", []string{"w"})
	require.NoError(t, err)
	assert.Equal(t, "s.pdf", result.Files[0].Filename)
	place.Close()
	assert.NoDirExists(t, place.Home)
	in.Pages = engines.PageRange{{First: 1}}
	_, err = scratch.Open(t.Context(), in, "test")
	require.ErrorContains(t, err, "INVALID_PARAMETERS")
}

// A program that a file has taken over may leave links to what it does not see itself.
func TestPlace_FollowsNoLinksOfAProgram(t *testing.T) {
	testkit.SkipIfShort(t, "it starts a program")
	elsewhere := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "output.pdf"), []byte("%PDF-1.7 of somebody else"), 0o600))
	for name, script := range map[string]string{
		"to a file":       `ln -s "$0/output.pdf" output.pdf`,
		"in a folder":     `ln -s "$0" out`,
		"a pipe":          `mkfifo output.pdf`,
		"a closed folder": `mkdir shut && ln -s "$0/output.pdf" output.pdf && chmod 0 shut`,
	} {
		t.Run(name, func(t *testing.T) {
			in := engines.Request{Source: "txt", Target: "pdf", InputPath: written(t, "text"), OutDir: t.TempDir(), Stem: "s"}
			place, err := scratch.Open(t.Context(), in, "Shell")
			require.NoError(t, err)
			defer place.Close()
			if name == "in a folder" {
				place.Output = filepath.Join(place.Home, "out", "output.pdf")
			}

			said, err := place.Run(t.Context(), "sh", []string{"-c", script, elsewhere}, nil)
			if err == nil {
				_, err = place.Keep(said, nil)
			}

			refusal, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, engines.CodeConversionFailed, refusal.Code)
		})
	}
}
