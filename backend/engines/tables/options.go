package tables

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

func options(source, target string) []option.Option {
	var names []string
	if source == "csv" || target == "csv" {
		names = append(names, option.NameDelimiter, option.NameEncoding)
	}
	if source == "xlsx" {
		names = append(names, option.NameSheet)
	}
	return option.Of(names...)
}

// delimiters are the values of the option; 0 where it is not given.
var delimiters = map[string]rune{"comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|'}

// encodingOf is an encoding by the name of the option.
func encodingOf(name string) (encoding.Encoding, error) {
	switch name {
	case "UTF-8":
		return unicode.UTF8, nil
	case "UTF-8-BOM":
		return unicode.UTF8BOM, nil
	case "UTF-16LE":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	case "UTF-16BE":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), nil
	}
	found, err := htmlindex.Get(name)
	if err != nil {
		return nil, engines.Errorf(engines.CodeInvalidParameters, "the encoding %s is not known here", name)
	}
	return found, nil
}

// maxEncoded bounds what is decoded at once, in bytes.
const maxEncoded = 64 << 20

// decoded is a request whose input is UTF-8, where an encoding of it is named.
func decoded(in engines.Request) (engines.Request, error) {
	name := in.Options[option.NameEncoding]
	if in.Source != "csv" || name == "" {
		return in, nil
	}
	named, err := encodingOf(name)
	if err != nil {
		return in, err
	}
	info, err := os.Stat(in.InputPath)
	if err != nil {
		return in, fmt.Errorf("look at the CSV: %w", err)
	}
	if info.Size() > maxEncoded {
		return in, tooLarge("the CSV has %d MB; at most %d are read in another encoding", info.Size()>>20, maxEncoded>>20)
	}
	data, err := os.ReadFile(in.InputPath)
	if err != nil {
		return in, fmt.Errorf("read the CSV: %w", err)
	}
	text, err := named.NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(text, '\uFFFD') && !bytes.Contains(data, []byte("\uFFFD")) {
		return in, engines.Errorf(engines.CodeUnsupportedInput, "the CSV is not in %s: some of its bytes are no letters of it", name)
	}
	in.InputPath = filepath.Join(in.OutDir, "decoded.csv")
	if err := os.WriteFile(in.InputPath, text, 0o600); err != nil { //nolint:gosec // in the folder of the call
		return in, fmt.Errorf("write the CSV in UTF-8: %w", err)
	}
	return in, nil
}

// encodedAs writes in an encoding. Letters that it lacks are an error for which isUnwritable holds.
func encodedAs(name string, to io.Writer) io.WriteCloser {
	named, err := encodingOf(name)
	if name == "" || err != nil {
		return plainWriter{to}
	}
	return transform.NewWriter(to, named.NewEncoder())
}

// plainWriter writes as it is.
type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

func isUnwritable(err error) bool {
	var repertoire interface{ Replacement() byte }
	return errors.As(err, &repertoire)
}

// chosen are the sheets that are asked for, and what is to be said of the others.
func chosen(sheets []sheet, warnings []string, in engines.Request) ([]sheet, []string, error) {
	wanted := in.Options[option.NameSheet]
	if wanted == "" {
		return sheets, warnings, nil
	}
	at := slices.IndexFunc(sheets, func(s sheet) bool { return strings.EqualFold(s.name, wanted) })
	if n, err := strconv.Atoi(wanted); at < 0 && err == nil && n >= 1 && n <= len(sheets) {
		at = n - 1
	}
	if at < 0 {
		names := make([]string, len(sheets))
		for i, s := range sheets {
			names[i] = strconv.Quote(s.name)
		}
		return nil, nil, engines.Errorf(engines.CodeInvalidParameters, "the workbook has no sheet %q; it has %s", wanted, strings.Join(names, ", "))
	}
	if len(sheets[at].rows) == 0 {
		return nil, nil, engines.Errorf(engines.CodeUnsupportedInput, "the sheet %q has no cells", sheets[at].name)
	}
	return sheets[at : at+1], warnings, nil
}
