//go:build deep

package secrets

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// secretForm is a secret in one of the forms that it may be written in.
type secretForm struct {
	secret string // what it is, not what it says
	form   string
	bytes  []byte
}

// formMin is how long forms are at least: shorter ones are found where nobody put them.
const formMin = 8

// search looks for all forms in one pass over the data.
type search struct {
	forms  []secretForm
	known  map[string]bool
	heads  map[[formMin]byte][]int
	begins [1 << 16]bool // the first two bytes of any secretForm
	bytes  int           // looked through so far
	most   int           // bytes that are unpacked out of one place
	packed []byte        // all secrets in all packings, once they were asked for
}

func newSearch() *search {
	return &search{known: map[string]bool{}, heads: map[[formMin]byte][]int{}, most: unpackMost}
}

// add takes a secret in all its forms.
func (h *search) add(name, secret string) {
	quotedJSON, _ := json.Marshal(secret)
	h.addForm(name, "plain", []byte(secret))
	h.addForm(name, "query", []byte(url.QueryEscape(secret)))
	h.addForm(name, "path", []byte(url.PathEscape(secret)))
	h.addForm(name, "json", bytes.Trim(quotedJSON, `"`))
	h.addForm(name, "quoted", bytes.Trim([]byte(strconv.Quote(secret)), `"`))
	h.addForm(name, "hex", []byte(hex.EncodeToString([]byte(secret))))
	h.addForm(name, "HEX", bytes.ToUpper([]byte(hex.EncodeToString([]byte(secret)))))
	h.addForm(name, "html", []byte(html.EscapeString(secret)))
	for form, order := range map[string]binary.AppendByteOrder{"UTF-16LE": binary.LittleEndian, "UTF-16BE": binary.BigEndian} {
		h.addForm(name, form, wide(secret, order))
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(append(make([]byte, shift), secret...))
			// What shares its six bits with a neighbour is not the secret's alone.
			h.addForm(name, fmt.Sprintf("base64+%d", shift), []byte(text[(shift*8+5)/6:(shift+len(secret))*8/6]))
		}
	}
}

func wide(text string, order binary.AppendByteOrder) (out []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func (h *search) addForm(name, form string, data []byte) {
	if len(data) < formMin || h.known[string(data)] {
		return
	}
	h.known[string(data)] = true
	head := [formMin]byte(data)
	h.heads[head] = append(h.heads[head], len(h.forms))
	h.begins[int(data[0])<<8|int(data[1])] = true
	h.forms = append(h.forms, secretForm{name, form, data})
}

// find names the forms that are in the data, once each.
func (h *search) find(data []byte) []string {
	h.bytes += len(data)
	found := map[string]bool{}
	for i := 0; i+formMin <= len(data); i++ {
		if !h.begins[int(data[i])<<8|int(data[i+1])] {
			continue
		}
		for _, n := range h.heads[[formMin]byte(data[i:])] {
			if bytes.HasPrefix(data[i:], h.forms[n].bytes) {
				found[h.forms[n].secret+" as "+h.forms[n].form] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// names are what find says of data that holds everything.
func (h *search) names() []string {
	all := map[string]bool{}
	for _, n := range h.forms {
		all[n.secret+" as "+n.form] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// plant puts every secretForm into the middle of the data.
func (h *search) plant(data []byte) []byte {
	out := slices.Clone(data[:len(data)/2])
	for _, n := range h.forms {
		out = append(append(out, '\n'), n.bytes...)
	}
	return append(append(out, '\n'), data[len(data)/2:]...)
}

// place is something that outlives a request: a file, a history, what a command printed.
type place struct {
	name string
	data []byte
	may  []string // kinds of secrets that belong there
}

// places are all that there are, and words that are known to be in some, so that a look at the wrong thing is noticed.
type places struct {
	t   *testing.T
	all []place
}

func (p *places) add(name string, data []byte, may ...string) {
	p.all = append(p.all, place{name, data, may})
}

// files adds every file below a folder. rightful are files that are made for a secret, by their path below it.
func (p *places) files(kind, folder string, rightful map[string]string) {
	p.t.Helper()
	require.NoError(p.t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreGone(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return ignoreGone(err)
		}
		below, _ := filepath.Rel(folder, path)
		p.add(kind+" "+below, append([]byte(path+"\n"), data...), rightful[below])
		return nil
	}))
}

// ignoreGone is for files of a stack that runs.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// tables adds the rows of a database: in its file a value may be cut in two by a page's end.
func (p *places) tables(kind, path string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	require.NoError(p.t, err)
	defer db.Close()
	var out bytes.Buffer
	for _, table := range p.rows(db, `SELECT name FROM sqlite_master WHERE type = 'table'`) {
		for _, value := range p.rows(db, `SELECT * FROM "`+string(table)+`"`) {
			out.Write(append(value, '\n'))
		}
	}
	require.NotZero(p.t, out.Len())
	p.add(kind, out.Bytes())
}

// rows are all values of a query, one after another.
func (p *places) rows(db *sql.DB, query string) (all [][]byte) {
	p.t.Helper()
	rows, err := db.QueryContext(p.t.Context(), query)
	require.NoError(p.t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(p.t, err)
	for rows.Next() {
		values := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(p.t, rows.Scan(into...))
		for _, value := range values {
			all = append(all, bytes.Clone(value))
		}
	}
	require.NoError(p.t, rows.Err())
	return all
}

// hold wants a word in a place of that name, so that it is known to be the place that is meant.
func (p *places) hold(t testing.TB, name, word string) {
	t.Helper()
	for _, at := range p.all {
		if fixture.Matches(name, at.name) && bytes.Contains(at.data, []byte(word)) {
			return
		}
	}
	assert.Fail(t, "a place does not hold what it must", "no %q in %s", word, name)
}

// search wants no secret in any place but where it belongs, packed or not, and would find each of them in each place.
func (p *places) search(t *testing.T, h *search) {
	t.Helper()
	size := 0
	for _, at := range p.all {
		size += len(at.data)
		found, whole := h.findDeep(at.data)
		assert.True(t, whole, "%s holds more than %d bytes, unpacked", at.name, h.most)
		for hit := range found {
			allowed := slices.ContainsFunc(at.may, func(kind string) bool { return kind != "" && strings.HasPrefix(hit, kind) })
			assert.True(t, allowed, "%s holds the %s", at.name, hit)
		}
		if missed := len(h.names()) - len(h.find(h.plant(at.data))); missed != 0 {
			assert.Fail(t, "the search is blind", "%d of %d secrets put into %s are not found", missed, len(h.names()), at.name)
		}
		found, _ = h.findDeep(h.plantPacked(at.data))
		assert.Empty(t, h.missed(found), "the search is blind to what is packed in %s", at.name)
	}
	t.Logf("%d places, %d secrets in %d forms, %d bytes; %d looked through", len(p.all), len(h.secrets()), len(h.forms), size, h.bytes)
}

func (h *search) secrets() map[string]bool {
	all := map[string]bool{}
	for _, n := range h.forms {
		all[n.secret] = true
	}
	return all
}
