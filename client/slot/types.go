package slot

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The types of the table, with the JSON that answers them.
const (
	Choice      Type = "choice"       // a string, one of the options' values
	MultiChoice Type = "multi_choice" // an array of such strings
	Text        Type = "text"         // a string
	Number      Type = "number"
	Boolean     Type = "boolean"
	Date        Type = "date"   // "YYYY-MM-DD"
	File        Type = "file"   // a file id, or an array of them
	Rating      Type = "rating" // a whole number, from 1 to 5 unless the bounds say otherwise
)

// kind is all that depends on the type of a slot. A further type is a further entry of kinds.
type kind struct {
	name Type
	// check says why a value is no answer. What it does not know, the service will judge.
	check func(s Slot, value json.RawMessage) error
	// parse reads what somebody typed. Its result is checked by the caller.
	parse func(s Slot, text string) (json.RawMessage, error)
	// show writes a value so that parse reads the same value back.
	show func(s Slot, value json.RawMessage) string
	// label writes a value for people where that says more than the value; nil for types whose values speak.
	label func(s Slot, value json.RawMessage) string
	// example stands for a value in a line that shows how to answer.
	example func(s Slot) string
	// typing says how to write an answer, where that is not plain.
	typing string
	// limits says what the bounds demand.
	limits  func(s Slot) string
	control func(s Slot) Control
}

// kinds is the table of types.
var kinds = []kind{
	{
		name: Choice, example: plain("TEXT"), check: checkChoice, show: showChoice, label: optionLabel, control: choiceControl,
		parse: func(s Slot, text string) (json.RawMessage, error) {
			one, err := s.choose(text)
			return quote(one), err
		},
	},
	{
		name: MultiChoice, example: plain("TEXT"), check: checkChoices, show: showChoices, label: optionLabel, control: choicesControl,
		parse: func(s Slot, text string) (json.RawMessage, error) {
			many, err := s.chooseSeveral(text)
			return quoteAll(many), err
		},
		typing: "several with commas",
		limits: func(s Slot) string {
			if s.Bounds.MaxItems <= 0 {
				return ""
			}
			return fmt.Sprintf("at most %d", s.Bounds.MaxItems)
		},
	},
	{
		name: Text, example: plain("TEXT"), check: checkText, control: textControl,
		parse:  func(_ Slot, text string) (json.RawMessage, error) { return quote(text), nil },
		show:   func(_ Slot, value json.RawMessage) string { return scalar(value) },
		limits: textLimits,
	},
	{
		name: Number, example: lowest, check: checkNumber, parse: parseNumber,
		show:    func(_ Slot, value json.RawMessage) string { return scalar(value) },
		limits:  func(s Slot) string { return s.Bounds.span() },
		control: func(Slot) Control { return Control{Name: ControlInput, Input: "text", Mode: "decimal"} },
	},
	{
		name: Boolean, example: plain("yes"), check: checkBoolean, parse: parseBoolean, show: showBoolean,
		typing: "yes or no",
		control: func(Slot) Control {
			return Control{Name: ControlRadio, Choices: []Option{{Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}}}
		},
	},
	{
		name: Date, example: plain("YYYY-MM-DD"), check: checkDate,
		parse:   func(_ Slot, text string) (json.RawMessage, error) { return quote(strings.TrimSpace(text)), nil },
		show:    func(_ Slot, value json.RawMessage) string { return scalar(value) },
		typing:  "a date as YYYY-MM-DD",
		control: func(Slot) Control { return Control{Name: ControlInput, Input: "date"} },
	},
	{
		name: File, example: plain("@PATH"), check: checkFile, parse: parseFiles, show: showFiles,
		typing:  "a path, or several with commas",
		control: func(Slot) Control { return Control{Name: ControlFile} },
	},
	{
		name: Rating, check: checkRating, parse: parseRating, show: showRating, label: ratingLabel, control: ratingControl,
		example: func(s Slot) string { return decimal(*s.scale().Max) },
		typing:  "a whole number",
		limits:  func(s Slot) string { return s.scale().span() },
	},
}

// loose is the entry of all types that the table does not know.
var loose = kind{
	example: plain("TEXT"), check: func(Slot, json.RawMessage) error { return nil }, parse: parseLoose, show: showLoose, label: optionLabel,
	control: func(s Slot) Control {
		if len(s.Options) > 0 {
			return Control{Name: ControlRadio, Choices: s.Options}
		}
		return Control{Name: ControlAny}
	},
}

// Types are the types of the table.
func Types() []Type {
	names := make([]Type, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// Known reports whether the type is in the table.
func (t Type) Known() bool { return slices.Contains(Types(), t) }

func (s Slot) kind() kind { return kindOf(s.Type) }

func kindOf(t Type) kind {
	for _, k := range kinds {
		if k.name == t {
			return k
		}
	}
	return loose
}

// Check says why a value is no answer to the slot, in words for people; nil where it is one. Of a type that is not
// in the table every JSON is an answer.
func (s Slot) Check(value json.RawMessage) error {
	if !json.Valid(value) {
		return errors.New("the value is not JSON")
	}
	return s.kind().check(s, value)
}

// Parse reads what somebody typed as an answer to the slot. What it accepts, Check accepts. A file is its id or URL:
// paths are for the caller, who can look at a disk.
func (s Slot) Parse(text string) (json.RawMessage, error) {
	value, err := s.kind().parse(s, text)
	if err != nil {
		return nil, err
	}
	if err := s.Check(value); err != nil {
		return nil, err
	}
	return value, nil
}

// Show writes a value as somebody would type it: Parse reads back the value that it has given.
func (s Slot) Show(value json.RawMessage) string { return s.kind().show(s, value) }

// Label is a value as people read it; empty where the value says the same.
func (s Slot) Label(value json.RawMessage) string {
	if label := s.kind().label; label != nil {
		return label(s, value)
	}
	return ""
}

// Example is something that could be typed: the suggestion, the first option, or a word that stands for a value.
func (s Slot) Example() string {
	switch {
	case !isNull(s.Suggested):
		return s.Show(s.Suggested)
	case len(s.Options) > 0:
		return s.Typed(s.Options[0].Value)
	}
	return s.kind().example(s)
}

// Typing says how an answer is written on a command line; empty where that is plain.
func (s Slot) Typing() string { return s.kind().typing }

// Limits says what the bounds demand of an answer; empty where there are none.
func (s Slot) Limits() string {
	if limits := s.kind().limits; limits != nil {
		return limits(s)
	}
	return ""
}

// Control is the form control that asks for the slot.
func (s Slot) Control() Control { return s.kind().control(s) }

// Control is what a form needs to know of a slot.
type Control struct {
	Name    string   // one of those below
	Input   string   // the type of the input, of ControlInput
	Mode    string   // its inputmode, which picks the keyboard of a phone; may be empty
	Choices []Option // what can be picked; each value is one that Parse reads
}

// The names of controls.
const (
	ControlRadio  = "radio"
	ControlStars  = "stars" // radio buttons that are drawn as stars
	ControlSelect = "select"
	ControlChecks = "checks"
	ControlOrder  = "order" // checks whose order counts
	ControlInput  = "input"
	ControlArea   = "area"
	ControlFile   = "file"
	ControlAny    = "any" // JSON or text
)

// Several reports whether the control gives a list.
func (c Control) Several() bool { return c.Name == ControlChecks || c.Name == ControlOrder }

const (
	radioLimit = 8  // options that are all shown at once
	lineLimit  = 80 // characters of a suggestion that fits into a line
	starsLimit = 10
)

func plain(example string) func(Slot) string { return func(Slot) string { return example } }

// choice

func checkChoice(s Slot, value json.RawMessage) error {
	var one string
	if json.Unmarshal(value, &one) != nil {
		return errors.New("the answer is a text, one of " + s.Offers())
	}
	return s.checkOption(one)
}

func showChoice(s Slot, value json.RawMessage) string { return s.Typed(scalar(value)) }

func choiceControl(s Slot) Control {
	switch {
	case len(s.Options) == 0:
		return Control{Name: ControlInput, Input: "text"}
	case len(s.Options) > radioLimit:
		return Control{Name: ControlSelect, Choices: s.Options}
	}
	return Control{Name: ControlRadio, Choices: s.Options}
}

// optionLabel writes the options of a value by their labels.
func optionLabel(s Slot, value json.RawMessage) string {
	values, isList := stringsOf(value)
	if !isList {
		values = make([]string, 1)
		if json.Unmarshal(value, &values[0]) != nil {
			return ""
		}
	}
	said := false
	for i, v := range values {
		for _, option := range s.Options {
			if option.Value == v && option.Label != "" {
				said = said || option.Label != v
				values[i] = option.Label
			}
		}
	}
	if !said {
		return ""
	}
	return strings.Join(values, ", ")
}

// multi_choice

func checkChoices(s Slot, value json.RawMessage) error {
	var many []string
	if json.Unmarshal(value, &many) != nil {
		return errors.New("the answer is a list of options: " + s.Offers())
	}
	for _, one := range many {
		if err := s.checkOption(one); err != nil {
			return err
		}
	}
	if s.Required && len(many) == 0 {
		return errors.New("choose at least one of " + s.Offers())
	}
	return s.Bounds.refuseItems(len(many))
}

func showChoices(s Slot, value json.RawMessage) string {
	values, isList := stringsOf(value)
	if !isList {
		return scalar(value)
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = s.Typed(v)
	}
	text := strings.Join(names, ",")
	if again, err := s.chooseSeveral(text); err != nil || !slices.Equal(again, values) {
		if numbers := s.Numbers(value); numbers != "" {
			if again, err := s.chooseSeveral(numbers); err == nil && slices.Equal(again, values) {
				return numbers
			}
		}
		return string(quoteAll(values)) // an option holds a comma, or stands between spaces
	}
	return text
}

func choicesControl(s Slot) Control {
	switch {
	case len(s.Options) == 0:
		return Control{Name: ControlAny}
	case s.ordered():
		return Control{Name: ControlOrder, Choices: s.Options}
	}
	return Control{Name: ControlChecks, Choices: s.Options}
}

// text

func checkText(s Slot, value json.RawMessage) error {
	var text string
	switch {
	case json.Unmarshal(value, &text) != nil:
		return errors.New("the answer is a text")
	case s.Required && strings.TrimSpace(text) == "":
		return errors.New("the text is empty")
	case text == "":
		return nil // left out, whatever length it would need
	}
	return s.Bounds.refuseText(text)
}

func textLimits(s Slot) string {
	var all []string
	if lengths := s.Bounds.lengths(); lengths != "" {
		all = append(all, lengths)
	}
	switch {
	case s.Bounds.PatternIgnored():
		all = append(all, fmt.Sprintf("the pattern %.200s is checked by the service alone", s.Bounds.Pattern))
	case s.Bounds.Pattern != "":
		all = append(all, fmt.Sprintf("matching %.200s", s.Bounds.Pattern))
	}
	return strings.Join(all, ", ")
}

func textControl(s Slot) Control {
	if text := scalar(s.Suggested); strings.Contains(text, "\n") || utf8.RuneCountInString(text) > lineLimit {
		return Control{Name: ControlArea}
	}
	return Control{Name: ControlInput, Input: "text"}
}

// number

func checkNumber(s Slot, value json.RawMessage) error {
	var n *float64
	if json.Unmarshal(value, &n) != nil || n == nil {
		return errors.New("the answer is a number")
	}
	return s.Bounds.refuseNumber(*n)
}

func lowest(s Slot) string {
	if s.Bounds.Min != nil {
		return decimal(*s.Bounds.Min)
	}
	return "1"
}

// parseNumber keeps what is JSON as it is written: a float64 would round long numbers.
func parseNumber(_ Slot, text string) (json.RawMessage, error) {
	trimmed := strings.TrimSpace(text)
	n, err := strconv.ParseFloat(trimmed, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, fmt.Errorf("%.80q is not a number; write it like 12 or 12.5", text)
	}
	if json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed), nil
	}
	return encode(n), nil
}

// boolean

func checkBoolean(_ Slot, value json.RawMessage) error {
	var yes *bool
	if json.Unmarshal(value, &yes) != nil || yes == nil {
		return errors.New("the answer is true or false")
	}
	return nil
}

func parseBoolean(_ Slot, text string) (json.RawMessage, error) {
	yes, err := YesOrNo(text)
	return encode(yes), err
}

// YesOrNo reads yes, y, true, on and 1, and their opposites, in any case.
func YesOrNo(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "y", "true", "on", "1":
		return true, nil
	case "no", "n", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%.80q is not yes or no", text)
}

func showBoolean(_ Slot, value json.RawMessage) string {
	var yes *bool
	switch {
	case json.Unmarshal(value, &yes) != nil || yes == nil:
		return scalar(value)
	case *yes:
		return "yes"
	}
	return "no"
}

// date

func checkDate(_ Slot, value json.RawMessage) error {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return errors.New("the answer is a date as YYYY-MM-DD")
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return fmt.Errorf("%.40q is not a date as YYYY-MM-DD", text)
	}
	return nil
}

// file

func checkFile(_ Slot, value json.RawMessage) error {
	many, isList := stringsOf(value)
	if !isList {
		many = make([]string, 1)
		if json.Unmarshal(value, &many[0]) != nil {
			many = nil
		}
	}
	for _, one := range many {
		if one == "" {
			many = nil
		}
	}
	if len(many) == 0 {
		return errors.New("the answer is a file id, a file:// URL, or a list of them")
	}
	return nil
}

// parseFiles reads one id or URL, several with commas, or either as JSON, by which a comma is no comma.
func parseFiles(_ Slot, text string) (json.RawMessage, error) {
	trimmed := strings.TrimSpace(text)
	if many, isList := stringsOf(json.RawMessage(trimmed)); isList {
		return quoteAll(many), nil
	}
	if strings.HasPrefix(trimmed, `"`) && json.Valid([]byte(trimmed)) {
		return quote(scalar(json.RawMessage(trimmed))), nil
	}
	var many []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			many = append(many, part)
		}
	}
	switch len(many) {
	case 0:
		return nil, errors.New("no file is named")
	case 1:
		return quote(many[0]), nil
	}
	return quoteAll(many), nil
}

func showFiles(s Slot, value json.RawMessage) string {
	text := scalar(value)
	if values, isList := stringsOf(value); isList {
		text = strings.Join(values, ",")
	}
	if again, err := parseFiles(s, text); err != nil || !same(again, value) {
		return string(value)
	}
	return text
}

// rating

// scale is from where to where a rating goes.
func (s Slot) scale() Bounds {
	low, high := 1.0, 5.0
	scale := Bounds{Min: s.Bounds.Min, Max: s.Bounds.Max}
	if scale.Min == nil {
		scale.Min = &low
	}
	if scale.Max == nil {
		scale.Max = &high
	}
	return scale
}

func checkRating(s Slot, value json.RawMessage) error {
	var n *float64
	if json.Unmarshal(value, &n) != nil || n == nil || *n != math.Trunc(*n) {
		return errors.New("the answer is a whole number " + s.scale().span())
	}
	return s.scale().refuseNumber(*n)
}

func parseRating(s Slot, text string) (json.RawMessage, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%.80q is not a whole number %s", text, s.scale().span())
	}
	return json.RawMessage(strconv.Itoa(n)), nil
}

func showRating(_ Slot, value json.RawMessage) string {
	var n *float64
	if json.Unmarshal(value, &n) != nil || n == nil {
		return scalar(value)
	}
	return decimal(*n)
}

func ratingLabel(s Slot, value json.RawMessage) string {
	return showRating(s, value) + " of " + decimal(*s.scale().Max)
}

// ratingControl draws stars where the scale is one of a few whole steps from 1.
func ratingControl(s Slot) Control {
	scale := s.scale()
	if high := *scale.Max; *scale.Min != 1 || high != math.Trunc(high) || high < 2 || high > starsLimit {
		return Control{Name: ControlInput, Input: "text", Mode: "numeric"}
	}
	var stars []Option
	for n := 1; n <= int(*scale.Max); n++ {
		stars = append(stars, Option{Value: strconv.Itoa(n), Label: fmt.Sprintf("%d of %.0f", n, *scale.Max)})
	}
	return Control{Name: ControlStars, Choices: stars}
}

// types that are not in the table

// parseLoose takes an option where one is meant, JSON where it is JSON, and anything else as a text.
func parseLoose(s Slot, text string) (json.RawMessage, error) {
	trimmed := strings.TrimSpace(text)
	isJSON := json.Valid([]byte(trimmed))
	switch {
	case isJSON && trimmed[0] == '"':
		return quote(scalar(json.RawMessage(trimmed))), nil
	case isJSON && (trimmed[0] == '[' || trimmed[0] == '{'):
		return json.RawMessage(trimmed), nil
	}
	if value, found, err := s.find(text); found || err != nil {
		return quote(value), err
	}
	if isJSON {
		return json.RawMessage(trimmed), nil
	}
	return quote(text), nil
}

func showLoose(s Slot, value json.RawMessage) string {
	text := scalar(value)
	if again, err := parseLoose(s, text); err != nil || !same(again, value) {
		return string(value) // a text that reads as JSON, or as another option
	}
	return text
}
