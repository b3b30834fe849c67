package slot_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

var colours = []slot.Option{{Value: "r", Label: "Red"}, {Value: "g", Label: "Green, dark"}, {Value: "7", Label: "Seven"}}

func number(n float64) *float64 { return &n }

func TestParse(t *testing.T) {
	choice := slot.Slot{Type: slot.Choice, Options: colours, Required: true}
	free := choice
	free.FreeText = "a job id"
	several := slot.Slot{Type: slot.MultiChoice, Options: colours, Required: true}
	twins := slot.Slot{Type: slot.Choice, Options: []slot.Option{{Value: "file_1", Label: "a.pdf"}, {Value: "file_2", Label: "a.pdf"}, {Value: "x", Label: "y"}, {Value: "y", Label: "z"}, {Value: " p ", Label: "padded"}}}
	for name, test := range map[string]struct {
		slot           slot.Slot
		text, is, says string
	}{
		"choice by value":             {choice, "r", `"r"`, ""},
		"choice by label":             {choice, " red ", `"r"`, ""},
		"choice by number":            {choice, "2", `"g"`, ""},
		"value before number":         {choice, "7", `"7"`, ""},
		"value before label":          {twins, "y", `"y"`, ""},
		"value with spaces":           {twins, " p ", `" p "`, ""},
		"label of two options":        {twins, "a.pdf", "", `"a.pdf" names several options; write the number of one: 1, 2`},
		"choice of something else":    {choice, "blue", "", `"blue" is not one of r, g, 7`},
		"choice by number 0":          {choice, "0", "", "is not one of"},
		"no choice":                   {choice, "", "", "is not one of"},
		"choice with free text":       {free, "job_1", `"job_1"`, ""},
		"empty free text":             {free, " ", "", "is not one of r, g, 7, a job id"},
		"choice of anything":          {slot.Slot{Type: slot.Choice}, "x", `"x"`, ""},
		"several":                     {several, "r,2", `["r","g"]`, ""},
		"several, label with a comma": {several, "Green, dark", `["g"]`, ""},
		"several as JSON":             {several, `["g","r"]`, `["g","r"]`, ""},
		"several, one twice":          {several, "r,1", "", "chosen twice"},
		"several, none":               {several, ",", "", "at least one"},
		"several, a span":             {several, "1-2", `["r","g"]`, ""},
		"several, a span too long":    {several, "1-9", "", "is not one of"},
		"a number too large":          {choice, "9", "", "9 is not one of 1-3"},
		"several, something else":     {several, "r,blue", "", `"blue" is not one of`},
		"several, too many":           {slot.Slot{Type: slot.MultiChoice, Options: colours, Bounds: slot.Bounds{MaxItems: 1}}, "r,g", "", "2 options are chosen; at most 1 are allowed"},
		"number":                      {slot.Slot{Type: slot.Number}, " 1.50 ", `1.50`, ""},
		"number, not JSON":            {slot.Slot{Type: slot.Number}, "+.5", `0.5`, ""},
		"long number":                 {slot.Slot{Type: slot.Number}, "12345678901234567890", `12345678901234567890`, ""},
		"not a number":                {slot.Slot{Type: slot.Number}, "NaN", "", "not a number"},
		"number without end":          {slot.Slot{Type: slot.Number}, "1e999", "", "not a number"},
		"number, too large":           {slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Min: number(1), Max: number(5)}}, "6", "", "6 is not from 1 to 5"},
		"number, too small":           {slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Min: number(0.5)}}, "0.25", "", "0.25 is not at least 0.5"},
		"number, over the largest":    {slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Max: number(1e6)}}, "1000001", "", "1000001 is not at most 1000000"},
		"yes":                         {slot.Slot{Type: slot.Boolean}, "Yes", "true", ""},
		"off":                         {slot.Slot{Type: slot.Boolean}, "off", "false", ""},
		"maybe":                       {slot.Slot{Type: slot.Boolean}, "maybe", "", "not yes or no"},
		"date":                        {slot.Slot{Type: slot.Date}, " 2026-02-28", `"2026-02-28"`, ""},
		"no such date":                {slot.Slot{Type: slot.Date}, "2026-02-30", "", "not a date"},
		"file":                        {slot.Slot{Type: slot.File}, "file_1", `"file_1"`, ""},
		"files":                       {slot.Slot{Type: slot.File}, "file_1, file_2", `["file_1","file_2"]`, ""},
		"no file":                     {slot.Slot{Type: slot.File}, " ", "", "no file"},
		"text":                        {slot.Slot{Type: slot.Text}, "12", `"12"`, ""},
		"empty text":                  {slot.Slot{Type: slot.Text, Required: true}, " ", "", "empty"},
		"long text":                   {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MaxLength: 3}}, "größe", "", "the text has 5 characters; it must have at most 3 characters"},
		"length in characters":        {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MinLength: 3, MaxLength: 5}}, "größe", `"größe"`, ""},
		"short text":                  {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MinLength: 2}}, "a", "", "the text has 1 character; it must have at least 2 characters"},
		"text of another pattern":     {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{Pattern: "^[a-z]+$"}}, "ABC", "", `"ABC" does not match the pattern ^[a-z]+$`},
		"pattern":                     {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{Pattern: "[a-z]"}}, "ABc", `"ABc"`, ""},
		"pattern that is not Go's":    {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{Pattern: `(?=x)y`}}, "z", `"z"`, ""},
		"rating":                      {slot.Slot{Type: slot.Rating}, " 4 ", `4`, ""},
		"rating, too good":            {slot.Slot{Type: slot.Rating}, "6", "", "6 is not from 1 to 5"},
		"rating, broken":              {slot.Slot{Type: slot.Rating}, "4.5", "", `"4.5" is not a whole number from 1 to 5`},
		"rating of ten":               {slot.Slot{Type: slot.Rating, Bounds: slot.Bounds{Max: number(10)}}, "10", `10`, ""},
		"unknown as JSON":             {slot.Slot{Type: "wheel"}, ` {"h":1} `, `{"h":1}`, ""},
		"unknown as a text":           {slot.Slot{Type: "wheel"}, "plain", `"plain"`, ""},
		"unknown with options":        {slot.Slot{Type: "wheel", Options: colours}, "7", `"7"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := test.slot.Parse(test.text)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.is, string(value))
		})
	}
}

func TestCheck(t *testing.T) {
	choice := slot.Slot{Type: slot.Choice, Options: colours, Required: true}
	several := slot.Slot{Type: slot.MultiChoice, Options: colours}
	required := several
	required.Required = true
	for name, test := range map[string]struct {
		slot        slot.Slot
		value, says string // says is empty where the value is an answer
	}{
		"choice":              {choice, `"r"`, ""},
		"choice as a list":    {choice, `["r"]`, "one of r, g, 7"},
		"choice, null":        {choice, `null`, "not one of"},
		"several":             {several, `["r","g"]`, ""},
		"several, none":       {required, `[]`, "at least one"},
		"several, unknown":    {several, `["r","z"]`, `"z" is not one of`},
		"several, by a label": {several, `["r","Red"]`, `"Red" is what people read; its value is "r"`},
		"several as a text":   {several, `"r"`, "list"},
		"number":              {slot.Slot{Type: slot.Number}, `4.5`, ""},
		"number as a text":    {slot.Slot{Type: slot.Number}, `"4.5"`, "a number"},
		"number, null":        {slot.Slot{Type: slot.Number}, `null`, "a number"},
		"boolean":             {slot.Slot{Type: slot.Boolean}, `false`, ""},
		"boolean as a text":   {slot.Slot{Type: slot.Boolean}, `"yes"`, "true or false"},
		"date":                {slot.Slot{Type: slot.Date}, `"2026-02-28"`, ""},
		"no such date":        {slot.Slot{Type: slot.Date}, `"2026-02-30"`, "YYYY-MM-DD"},
		"date as a number":    {slot.Slot{Type: slot.Date}, `20260228`, "YYYY-MM-DD"},
		"file":                {slot.Slot{Type: slot.File}, `"file_1"`, ""},
		"files":               {slot.Slot{Type: slot.File}, `["file_1","file:///x"]`, ""},
		"no file":             {slot.Slot{Type: slot.File}, `""`, "file id"},
		"a file without name": {slot.Slot{Type: slot.File}, `["a",""]`, "file id"},
		"no files":            {slot.Slot{Type: slot.File}, `[]`, "file id"},
		"text":                {slot.Slot{Type: slot.Text, Required: true}, `"x"`, ""},
		"empty text":          {slot.Slot{Type: slot.Text, Required: true}, `" "`, "empty"},
		"empty, optional":     {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MinLength: 3}}, `""`, ""},
		"rating":              {slot.Slot{Type: slot.Rating}, `5.0`, ""},
		"rating, none":        {slot.Slot{Type: slot.Rating}, `0`, "0 is not from 1 to 5"},
		"rating as a text":    {slot.Slot{Type: slot.Rating}, `"5"`, "a whole number from 1 to 5"},
		"rating, half":        {slot.Slot{Type: slot.Rating}, `4.5`, "a whole number"},
		"unknown":             {slot.Slot{Type: "wheel"}, `{"r":1}`, ""},
		"not JSON":            {slot.Slot{Type: "wheel"}, `{"r"`, "not JSON"},
		"choice of anything":  {slot.Slot{Type: slot.Choice}, `"x"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.slot.Check(json.RawMessage(test.value))
			if test.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.says)
			}
		})
	}
}

func TestControls(t *testing.T) {
	many := make([]slot.Option, 9)
	for i := range many {
		many[i].Value = string(rune('a' + i))
	}
	for name, test := range map[string]struct {
		slot slot.Slot
		is   string
	}{
		"choice":            {slot.Slot{Type: slot.Choice, Options: colours}, slot.ControlRadio},
		"choice of many":    {slot.Slot{Type: slot.Choice, Options: many}, slot.ControlSelect},
		"choice of nothing": {slot.Slot{Type: slot.Choice}, slot.ControlInput},
		"several":           {slot.Slot{Type: slot.MultiChoice, Options: colours}, slot.ControlChecks},
		"several of none":   {slot.Slot{Type: slot.MultiChoice}, slot.ControlAny},
		"order":             {slot.Slot{Type: slot.MultiChoice, Options: colours, Suggested: json.RawMessage(`["7","g","r"]`)}, slot.ControlOrder},
		"no order":          {slot.Slot{Type: slot.MultiChoice, Options: colours, Suggested: json.RawMessage(`["7","g","7"]`)}, slot.ControlChecks},
		"text":              {slot.Slot{Type: slot.Text}, slot.ControlInput},
		"two lines":         {slot.Slot{Type: slot.Text, Suggested: json.RawMessage(`"a\nb"`)}, slot.ControlArea},
		"long text":         {slot.Slot{Type: slot.Text, Suggested: json.RawMessage(`"` + strings.Repeat("ä", 81) + `"`)}, slot.ControlArea},
		"number":            {slot.Slot{Type: slot.Number}, slot.ControlInput},
		"boolean":           {slot.Slot{Type: slot.Boolean}, slot.ControlRadio},
		"date":              {slot.Slot{Type: slot.Date}, slot.ControlInput},
		"file":              {slot.Slot{Type: slot.File}, slot.ControlFile},
		"rating":            {slot.Slot{Type: slot.Rating}, slot.ControlStars},
		"rating of 100":     {slot.Slot{Type: slot.Rating, Bounds: slot.Bounds{Max: number(100)}}, slot.ControlInput},
		"rating from 0":     {slot.Slot{Type: slot.Rating, Bounds: slot.Bounds{Min: number(0)}}, slot.ControlInput},
		"unknown":           {slot.Slot{Type: "wheel"}, slot.ControlAny},
		"unknown, options":  {slot.Slot{Type: "wheel", Options: colours}, slot.ControlRadio},
	} {
		t.Run(name, func(t *testing.T) {
			control := test.slot.Control()
			assert.Equal(t, test.is, control.Name)
			for _, choice := range control.Choices {
				_, err := test.slot.Parse(choice.Value)
				assert.NoError(t, err, "what the form offers is an answer")
			}
		})
	}
}

func TestWordsForPeople(t *testing.T) {
	rating := slot.Slot{Type: slot.Rating}
	assert.Equal(t, "5", rating.Example())
	assert.Equal(t, "a whole number", rating.Typing())
	assert.Equal(t, "from 1 to 5", rating.Limits())
	assert.Equal(t, "4 of 5", rating.Label(json.RawMessage(`4`)))
	assert.Equal(t, "4", rating.Show(json.RawMessage(`4.0`)))

	text := slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MaxLength: 80, Pattern: "^[A-Z]"}}
	assert.Equal(t, "at most 80 characters, matching ^[A-Z]", text.Limits())
	text.Bounds.Pattern = "(?<=x)y"
	assert.True(t, text.Bounds.PatternIgnored())
	assert.Equal(t, "at most 80 characters, the pattern (?<=x)y is checked by the service alone", text.Limits())

	several := slot.Slot{Type: slot.MultiChoice, Options: colours}
	assert.Equal(t, "r", several.Example())
	several.Suggested = json.RawMessage(`["g","r"]`)
	assert.Equal(t, "g,r", several.Example())
	assert.Equal(t, "Green, dark, Red", several.Label(several.Suggested))
	assert.Empty(t, several.Label(json.RawMessage(`7`)))
	assert.Equal(t, "10", slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Min: number(10)}}.Example())

	names := slot.Slot{Type: slot.MultiChoice, Options: []slot.Option{{Value: "file_1", Label: "a.pdf"}, {Value: "file_2", Label: "a b.pdf"}}}
	assert.Equal(t, "a.pdf,file_2", names.Show(json.RawMessage(`["file_1","file_2"]`)))
}

// words are texts that types read in different ways, and pieces of which options are made.
var words = []string{"", " ", "a", "A", "b", "a,b", "1", "2", "12.50", "-0", "0x1p-2", "yes", "2026-02-28", "file_1", `"a"`, `["a"]`, `["a,b","b"]`, `{"a":1}`, "null", "true", " a ", "é\n", "\xff", "a,b,"}

func anySlot(t *rapid.T) slot.Slot {
	// Slots come out of JSON, whose texts are UTF-8.
	texts := rapid.Map(rapid.OneOf(rapid.SampledFrom(words), rapid.StringN(0, 4, 12)), func(text string) string { return strings.ToValidUTF8(text, "?") })
	option := rapid.Custom(func(t *rapid.T) slot.Option {
		return slot.Option{Value: texts.Draw(t, "value"), Label: texts.Draw(t, "label")}
	})
	bound := rapid.Ptr(rapid.Float64Range(-3, 12), true)
	return slot.Slot{
		Type: rapid.SampledFrom(append(slot.Types(), "wheel")).Draw(t, "type"), Options: rapid.SliceOfN(option, 0, 4).Draw(t, "options"),
		Required: rapid.Bool().Draw(t, "required"), FreeText: rapid.SampledFrom([]string{"", "or an id"}).Draw(t, "free"),
		Bounds: slot.Bounds{
			Min: bound.Draw(t, "min"), Max: bound.Draw(t, "max"), MinLength: rapid.IntRange(-1, 3).Draw(t, "shortest"), MaxLength: rapid.IntRange(-1, 9).Draw(t, "longest"),
			Pattern: rapid.SampledFrom([]string{"", "a", "^[ab,]*$", "(", "(?=a)"}).Draw(t, "pattern"), MaxItems: rapid.IntRange(-1, 3).Draw(t, "most"),
		},
	}
}

// What Parse accepts, Check accepts; and shown it is read as the same value.
func TestWhatIsReadIsAnAnswerAndReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySlot(t)
		texts := rapid.OneOf(rapid.SampledFrom(words), rapid.String())
		if len(s.Options) > 0 {
			texts = rapid.OneOf(texts, rapid.Map(rapid.SampledFrom(s.Options), func(o slot.Option) string { return o.Value }),
				rapid.Map(rapid.SampledFrom(s.Options), func(o slot.Option) string { return o.Label }))
		}
		readable(t, s, texts.Draw(t, "text"))
	})
}

type failing interface {
	Fatalf(format string, args ...any)
}

// readable checks the properties of one text typed for a slot.
func readable(t failing, s slot.Slot, text string) {
	value, err := s.Parse(text)
	if err != nil {
		if len(err.Error()) > 4096 || err.Error() == "" {
			t.Fatalf("%q says nothing to people", err)
		}
		return
	}
	if err := s.Check(value); err != nil {
		t.Fatalf("%q was read as %s, which is refused: %v", text, value, err)
	}
	shown := s.Show(value)
	again, err := s.Parse(shown)
	if err != nil || string(again) != string(value) {
		t.Fatalf("%q was read as %s, shown as %q, and read as %s again (%v)", text, value, shown, again, err)
	}
	_, _, _ = s.Label(value), s.Control(), s.Limits()
	s.Suggested = value
	if example := s.Example(); example != shown && string(value) != "null" {
		t.Fatalf("the suggestion %s is exemplified by %q", value, example)
	}
}

// FuzzParse: whatever is typed for a slot of whatever type is an answer or is refused in a few words.
func FuzzParse(f *testing.F) {
	for _, kind := range append(slot.Types(), "wheel") {
		for _, text := range words {
			f.Add(string(kind), text, "a", 1.0, 5.0, "^a")
		}
	}
	f.Fuzz(func(t *testing.T, kind, text, option string, low, high float64, pattern string) {
		option = strings.ToValidUTF8(option, "?")
		s := slot.Slot{Type: slot.Type(kind), Options: []slot.Option{{Value: option, Label: "A"}, {Value: "b", Label: option}}}
		readable(t, s, text)
		s.Options, s.Bounds = nil, slot.Bounds{Min: &low, Max: &high, MaxLength: 9, Pattern: pattern}
		readable(t, s, text)
	})
}

// FuzzCheck: no value of any kind upsets what looks at it.
func FuzzCheck(f *testing.F) {
	for _, kind := range append(slot.Types(), "wheel") {
		for _, value := range []string{`"a"`, `["a","a"]`, `[null]`, `1e999`, `null`, ``, `{"a":[]}`, `"2026-02-30"`, `4`} {
			f.Add(string(kind), []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, value []byte) {
		s := slot.Slot{Type: slot.Type(kind), Options: colours, Suggested: value}
		err := s.Check(value)
		_, _, _, _ = s.Show(value), s.Label(value), s.Control(), s.Example()
		if err == nil {
			require.True(t, json.Valid(value), "%q", value)
			return
		}
		require.LessOrEqual(t, utf8.RuneCountInString(err.Error()), 500)
	})
}
