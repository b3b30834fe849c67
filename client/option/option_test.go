package option_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/option"
)

func TestValues_HaveOneForm(t *testing.T) {
	for name, test := range map[string]struct {
		option, value, want, says string
	}{
		"paper by name":     {option: "paper", value: " letter ", want: "Letter"},
		"paper by size":     {option: "paper", value: "10 x 15cm", want: "100x150mm"},
		"paper too large":   {option: "paper", value: "10x9000mm", says: "not from 20 to 2000 mm"},
		"no paper":          {option: "paper", value: "A44", says: "is not one of A3, A4"},
		"boolean":           {option: "landscape", value: "Yes", want: "true"},
		"no boolean":        {option: "landscape", value: "perhaps", says: "is not true or false"},
		"one margin":        {option: "margins", value: "0.5in", want: "12.7mm"},
		"four margins":      {option: "margins", value: "1cm, 0, 36pt,5mm", want: "10mm,0mm,12.7mm,5mm"},
		"three margins":     {option: "margins", value: "1cm,1cm,1cm", says: "one length, or four"},
		"margin without mm": {option: "margins", value: "20", says: "is not a length such as 15mm"},
		"margin too large":  {option: "margins", value: "2in,200mm,1in,1in", says: "200 is not from 0 to 100"},
		"pages":             {option: "pages", value: "1-3, 7-", want: "1-3,7-"},
		"no pages":          {option: "pages", value: "1..3", says: "is not a range"},
		"scale":             {option: "scale", value: "90.50", want: "90.5"},
		"scale too small":   {option: "scale", value: "1", says: "1 is not from 10 to 400"},
		"no number":         {option: "scale", value: "NaN", says: "is not a number"},
		"text of two lines": {option: "header", value: "a\nb", says: "a line break"},
		"no text":           {option: "title", value: "", says: "it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := option.Of(test.option)[0].Check(test.value)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestCheck_NamesAllFaults(t *testing.T) {
	_, err := option.Check(option.Values{"papper": "A4", "margins": "x", "zzz": "1"}, option.Of("paper", "margins"), "md to pdf")
	require.ErrorContains(t, err, "md to pdf takes no option papper; did you mean paper? (it takes margins, paper)")
	require.ErrorContains(t, err, "md to pdf takes no option zzz (it takes")
	require.ErrorContains(t, err, "option margins:")
	_, err = option.Check(option.Values{"paper": "A4"}, nil, "csv to xlsx")
	require.EqualError(t, err, "csv to xlsx takes no option paper, and no other")
}

func TestValues_InJSON(t *testing.T) {
	var got option.Values
	require.NoError(t, json.Unmarshal([]byte(`{"landscape":true,"scale":90,"paper":"A4"}`), &got))
	assert.Equal(t, option.Values{"landscape": "true", "scale": "90", "paper": "A4"}, got)
	for _, bad := range []string{`{"a":null}`, `{"a":[1]}`, `{"a":{}}`, `[]`} {
		require.Error(t, json.Unmarshal([]byte(bad), &got), bad)
	}
}

func TestParse(t *testing.T) {
	got, err := option.Parse([]string{"header=a=b", "paper=A4"})
	require.NoError(t, err)
	assert.Equal(t, option.Values{"header": "a=b", "paper": "A4"}, got)
	for _, bad := range [][]string{{"paper"}, {"=A4"}, {"paper=A4", "paper=A5"}} {
		_, err := option.Parse(bad)
		require.Error(t, err)
	}
}

// A value in clear is refused before it goes anywhere, and no message repeats it.
func TestSecrets_AreInFiles(t *testing.T) {
	absolute := func(path string) (string, error) { return "/in/" + path, nil }
	got, err := option.InFiles(option.Values{"password": "@p.txt", "paper": "A4"}, absolute)
	require.NoError(t, err)
	assert.Equal(t, option.Values{"password": "@/in/p.txt", "paper": "A4"}, got)

	_, err = option.InFiles(option.Values{"password": "hunter2", "encrypt": "@"}, absolute)
	require.ErrorContains(t, err, "option password: a password is not given in clear; password=@FILE")
	require.ErrorContains(t, err, "option encrypt:")
	assert.NotContains(t, err.Error(), "hunter2")

	open, secret := option.Values{"owner": "x", "paper": "A4"}.Split()
	assert.Equal(t, option.Values{"paper": "A4"}, open)
	assert.Equal(t, option.Values{"owner": "x"}, secret)
}

func TestReadSecret(t *testing.T) {
	for content, want := range map[string]string{"a b \r\n": "a b ", "x": "x", "": "", "two\nlines\n": "", strings.Repeat("y", 900): ""} {
		got, err := option.ReadSecret(strings.NewReader(content))
		assert.Equal(t, want, got)
		assert.Equal(t, want == "", err != nil, content)
		if err != nil && content != "" {
			assert.NotContains(t, err.Error(), content)
		}
	}
}

// The one form of a value is read as itself.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"A4", "100x150mm", "1cm,2cm,3cm,4cm", "0.1in", "1-3,7-", "#FFffff", "1e2", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, o := range option.Known() {
			once, err := o.Check(value)
			if err != nil {
				continue
			}
			twice, err := o.Check(once)
			if err != nil || twice != once {
				t.Fatalf("%s %q: %q becomes %q (%v)", o.Name, value, once, twice, err)
			}
		}
	})
}
