package manifest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// entryOf is a line of a manifest, as people write it.
type entryOf struct {
	Source  string `json:"source"`
	To      string `json:"to"`
	From    string `json:"from"`
	Quality string `json:"quality"`
	Pages   string `json:"pages"`
	Dest    string `json:"dest"`
	OnExist string `json:"on_exist"`
	// Options are an object in JSON, and columns such as option.paper in CSV.
	Options option.Values `json:"options"`
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func (p *planner) readJSONL() error {
	file, err := p.disk.OpenFile(p.spec.Source)
	if err != nil {
		return &Faults{Lines: []string{err.Error()}}
	}
	defer file.Close() //nolint:errcheck // read only
	return eachLine(file, maxLine, func(number int, _ int64, line []byte, fault error) error {
		if number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		line = bytes.TrimSpace(line)
		if fault == nil && len(line) == 0 {
			return nil
		}
		var e entryOf
		if fault == nil {
			fault = decodeEntry(line, &e)
		}
		return p.entry(number, e, fault)
	})
}

func decodeEntry(line []byte, into *entryOf) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8; save the manifest as UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("it is not a JSON object with source, to, from, quality, pages, options, dest, on_exist: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its JSON object; write one object per line")
	}
	return nil
}

var columns = []string{"source", "to", "from", "quality", "pages", "dest", "on_exist"}

// optionColumn begins the names of columns with the values of an option.
const optionColumn = "option."

func (p *planner) readCSV() error {
	file, err := p.disk.OpenFile(p.spec.Source)
	if err != nil {
		return &Faults{Lines: []string{err.Error()}}
	}
	defer file.Close() //nolint:errcheck // read only
	bounded := &boundedRecords{in: bufio.NewReader(file)}
	bounded.skipMark()
	in := csv.NewReader(bounded)
	in.ReuseRecord = true
	var heading []string
	number := 0 // of the line that was read last
	for {
		record, err := in.Read()
		bounded.next(in.InputOffset())
		if errors.Is(err, io.EOF) {
			return nil
		}
		var broken *csv.ParseError
		switch {
		case errors.As(err, &broken):
			if fault := p.entry(broken.StartLine, entryOf{}, broken.Err); fault != nil || heading == nil {
				return fault
			}
			continue
		case err != nil:
			return p.entry(number+1, entryOf{}, err)
		}
		number, _ = in.FieldPos(0)
		if heading == nil {
			heading = slices.Clone(record)
			if fault := checkHeading(heading); fault != nil {
				return p.entry(1, entryOf{}, fault)
			}
			continue
		}
		e, fault := record2entry(heading, record)
		if err := p.entry(number, e, fault); err != nil {
			return err
		}
	}
}

func checkHeading(heading []string) error {
	for _, name := range heading {
		if _, isOption := strings.CutPrefix(name, optionColumn); !slices.Contains(columns, name) && !isOption {
			return fmt.Errorf("the column %.40q is not one of %s, or %sNAME", name, strings.Join(columns, ", "), optionColumn)
		}
	}
	if !slices.Contains(heading, "source") {
		return errors.New("there is no column source; the first line names the columns")
	}
	return nil
}

func record2entry(heading, record []string) (entryOf, error) {
	var e entryOf
	into := []*string{&e.Source, &e.To, &e.From, &e.Quality, &e.Pages, &e.Dest, &e.OnExist}
	for i, value := range record {
		if !utf8.ValidString(value) {
			return e, errors.New("it is not UTF-8; save the manifest as UTF-8")
		}
		value = strings.Clone(strings.TrimSpace(value))
		if name, isOption := strings.CutPrefix(heading[i], optionColumn); !isOption {
			*into[slices.Index(columns, heading[i])] = value
		} else if value != "" {
			if e.Options == nil {
				e.Options = option.Values{}
			}
			e.Options[name] = value
		}
	}
	return e, nil
}

// boundedRecords refuses a record that is too long before it is all in memory. Behind a quote that nobody closes,
// all the rest of a file is one record.
type boundedRecords struct {
	in    *bufio.Reader
	read  int64
	start int64 // of the record that is being read
}

func (b *boundedRecords) skipMark() {
	if mark, _ := b.in.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		_, _ = b.in.Discard(len(byteOrderMark))
	}
}

func (b *boundedRecords) next(start int64) { b.start = start }

func (b *boundedRecords) Read(p []byte) (int, error) {
	const ahead = 4096 // what the reader above may hold of earlier records
	if b.read-b.start > maxLine+ahead {
		return 0, fmt.Errorf("%w; is a quote left open?", errLongLine(maxLine))
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	return n, err
}

// entry considers a line of a manifest.
func (p *planner) entry(number int, e entryOf, fault error) error {
	c := candidate{where: fmt.Sprintf("%s line %d", filepath.Base(p.spec.Source), number), line: int32(min(number, 1<<31-1)), path: e.Source} //nolint:gosec // bounded
	if fault == nil {
		fault = p.complete(&c, e)
	}
	if fault != nil {
		return p.refuse(c, "BAD_ARGUMENT", "%v", fault)
	}
	targets := []string{e.To}
	if e.To == "" {
		targets = p.targets
	}
	if len(targets) == 0 {
		return p.refuse(c, "BAD_ARGUMENT", "it has no target format; add to, or --to for all")
	}
	for _, target := range targets {
		c.To = client.NormalizeFormat(target)
		one := c
		if ext := filepath.Ext(c.Dest); ext != filepath.Base(c.Dest) && client.NormalizeFormat(ext) == c.To && e.Dest != "" {
			one.Dest = strings.TrimSuffix(c.Dest, ext)
		}
		if err := p.consider(one); err != nil {
			return err
		}
	}
	return nil
}

// complete checks what a line says and fills in what it leaves out.
func (p *planner) complete(c *candidate, e entryOf) error {
	source, err := sourcePath(e.Source, p.plan.Root)
	if err != nil {
		return err
	}
	c.path = source
	c.Source = source
	if within(p.plan.Root, source) {
		c.Source, _ = filepath.Rel(p.plan.Root, source)
	}
	c.From, c.Quality, c.Pages, c.OnExist = client.NormalizeFormat(e.From), e.Quality, e.Pages, e.OnExist
	if c.From == "" {
		c.From = client.NormalizeFormat(p.spec.From)
	}
	if c.From == "" {
		var ok bool
		if c.From, ok = client.FormatOf(source); !ok {
			return fmt.Errorf("the name of %s does not show its format; add from", source)
		}
	}
	if c.Quality == "" {
		c.Quality = p.spec.Quality
	}
	if c.Pages == "" {
		c.Pages = p.spec.Pages
	}
	if c.Options, err = p.options(e.Options); err != nil {
		return err
	}
	if c.Options[option.NamePages] != "" || c.Options[option.NameQuality] != "" {
		return errors.New("pages and quality have columns of their own; leave them out of the options")
	}
	switch c.OnExist {
	case "", "fail", onExistSkip, onExistOverwrite:
	default:
		return fmt.Errorf("on_exist %.40q is not fail, skip or overwrite", c.OnExist)
	}
	return p.destination(c, e.Dest)
}

// options are those of a line, and those of the batch where it does not say.
func (p *planner) options(own option.Values) (option.Values, error) {
	own, err := option.Check(own, option.Known(), "this version")
	if err == nil {
		own, err = option.InFiles(own, p.passwordFile)
	}
	if err != nil || len(own) == 0 {
		return p.spec.Options, err
	}
	for name, value := range p.spec.Options {
		if _, said := own[name]; !said {
			own[name] = value
		}
	}
	return own, nil
}

// passwordFile is the absolute path of a file that a line names. What is in it is for whoever sends it.
func (p *planner) passwordFile(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.plan.Root, path)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%.80q is not a file that can be read", path)
	}
	return filepath.Clean(path), nil
}

func sourcePath(source, root string) (string, error) {
	switch u, err := url.Parse(source); {
	case source == "":
		return "", errors.New("it has no source")
	case err == nil && u.Scheme == "file" && filepath.IsAbs(u.Path):
		return filepath.Clean(u.Path), nil
	case err == nil && u.Scheme != "" && u.Host != "":
		return "", fmt.Errorf("%.80q is not a path or a file:// URL", source)
	case strings.ContainsRune(source, 0):
		return "", errors.New("its source contains a zero byte")
	case filepath.IsAbs(source):
		return filepath.Clean(source), nil
	}
	return filepath.Join(root, source), nil
}

func (p *planner) destination(c *candidate, dest string) error {
	if dest == "" {
		// Beside the outputs of its neighbours, if it is one of them; else at the top.
		c.Dest = strings.TrimSuffix(filepath.Base(c.path), filepath.Ext(c.path))
		if !filepath.IsAbs(c.Source) {
			c.Dest = strings.TrimSuffix(c.Source, filepath.Ext(c.Source))
		}
		return nil
	}
	if filepath.IsAbs(dest) {
		relative, err := filepath.Rel(p.plan.Output, dest)
		if err != nil {
			return fmt.Errorf("its dest %.80q is outside %s", dest, p.plan.Output)
		}
		dest = relative
	}
	if !filepath.IsLocal(dest) || filepath.Clean(dest) == "." || strings.HasSuffix(dest, "/") || strings.ContainsRune(dest, 0) {
		return fmt.Errorf("its dest %.80q is not a file inside %s", dest, p.plan.Output)
	}
	c.Dest = filepath.Clean(dest)
	return nil
}
