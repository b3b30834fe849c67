package corpus

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fault is something that an output has wrong, and that no note names.
type Fault struct {
	Kind string // missing, shown, order, row, link, colour, size
	What string
}

func (f Fault) String() string { return f.Kind + ": " + f.What }

// Verdict is what became of a file on a route.
type Verdict struct {
	Faults  []Fault // that no note names
	Excused []Fault // that one does
}

// wordsOf are the runs of letters, digits and marks in a text, as a reader tells them apart. Characters that are raised or lowered
// themselves, such as ⁶, are words of their own.
func wordsOf(text string) []string {
	var out []string
	var word strings.Builder
	raised := false
	end := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range norm.NFC.String(strings.ReplaceAll(text, "\u00ad", "")) {
		number := unicode.Is(unicode.No, r)
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !number:
			end()
			continue
		case number != raised:
			end()
			raised = number
		}
		if number {
			word.WriteString(norm.NFKC.String(string(r)))
		} else {
			word.WriteRune(r)
		}
	}
	end()
	return out
}

// hiding are the targets that hold text that is not for readers, as such: hidden, or deleted by a tracked change.
var hiding = []string{"docx", "odt", "rtf"}

// marked reports whether a word has the number of a note right at it, which is raised on the page.
func marked(text, target string, words []string) bool {
	return (target == "pdf" || target == "pptx") && slices.ContainsFunc(words, func(word string) bool {
		mark, ok := strings.CutPrefix(word, text)
		return ok && len(mark) <= 2 && strings.Trim(mark, "0123456789") == ""
	})
}

// Judge compares what a document's output shows with the truth of its file.
func Judge(truth Truth, target string, shown Shown, notes []string) Verdict {
	var v Verdict
	words := wordsOf(shown.Text)
	places := map[string][]int{}
	for i, word := range words {
		places[word] = append(places[word], i)
	}

	last, lastWord := -1, ""
	for i, word := range truth.Words {
		at, there := find(places, words, word.Text, last)
		if word.Hidden {
			if there && !slices.Contains(hiding, target) {
				v.add(Fault{"shown", word.Text}, word, notes)
			}
			continue
		}
		if !there {
			if !raisedBeside(truth.Words, i, target, words) && !marked(word.Text, target, words) {
				v.add(Fault{"missing", word.Text}, word, notes)
			}
			continue
		}
		byLines := target == "pdf" && len(truth.Rows) > 0 // cells beside each other
		switch {
		case word.Beside || at < last && byLines:
		case at < last:
			v.add(Fault{"order", word.Text + " before " + lastWord}, word, notes)
		default:
			last, lastWord = at, word.Text
		}
	}
	v.rows(truth, target, shown, notes)
	v.links(truth, target, shown, notes)
	return v
}

// links looks for addresses where a format has them.
func (v *Verdict) links(truth Truth, target string, shown Shown, notes []string) {
	if target != "md" && target != "html" {
		return
	}
	for _, link := range truth.Links {
		if !strings.Contains(shown.Source, link) && !strings.Contains(strings.Join(notes, " "), "link") {
			v.Faults = append(v.Faults, Fault{"link", link})
		}
	}
}

// find is where a word is, after another where there is such a place. It may have marks in it that part words, such as 25.6%.
func find(places map[string][]int, words []string, text string, after int) (int, bool) {
	parts := wordsOf(text)
	if len(parts) == 0 {
		return after, true
	}
	found, ok := 0, false
	for _, at := range places[parts[0]] {
		if at+len(parts) > len(words) || !slices.Equal(words[at:at+len(parts)], parts) {
			continue
		}
		if !ok || found <= after {
			found, ok = at, true
		}
	}
	return found, ok
}

// raisedBeside reports whether a word and the raised one after it run together where the target shows them apart all the same, by
// their place on the page.
func raisedBeside(all []Word, i int, target string, words []string) bool {
	if !all[i].Raised && (i+1 >= len(all) || !all[i+1].Raised) {
		return false
	}
	if all[i].Raised {
		i--
	}
	return slices.Contains([]string{"pdf", "docx", "odt", "rtf", "epub", "pptx"}, target) && slices.Contains(words, all[i].Text+all[i+1].Text)
}

func (v *Verdict) add(fault Fault, word Word, notes []string) {
	for _, note := range notes {
		if fault.Kind == "shown" && strings.Contains(note, "left out") { // which it is not
			continue
		}
		for _, words := range word.Notes {
			if strings.Contains(strings.ToLower(note), strings.ToLower(words)) {
				v.Excused = append(v.Excused, fault)
				return
			}
		}
	}
	v.Faults = append(v.Faults, fault)
}

// rows looks for each row's cells in one row of the output. Targets without tables keep the words only.
func (v *Verdict) rows(truth Truth, target string, shown Shown, notes []string) {
	if slices.Contains([]string{"pdf", "rtf", "pptx"}, target) {
		return
	}
	for _, row := range truth.Rows {
		if len(row) < 2 || slices.ContainsFunc(shown.Rows, func(cells []string) bool { return inRow(cells, row) }) {
			continue
		}
		fault := Fault{"row", strings.Join(row, " | ")}
		if slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, "layout") || strings.Contains(note, "table") }) && target == "txt" {
			v.Excused = append(v.Excused, fault)
		} else {
			v.Faults = append(v.Faults, fault)
		}
	}
}

// inRow reports whether words stand in cells of their own, in order.
func inRow(cells, row []string) bool {
	next := 0
	for _, cell := range cells {
		if next < len(row) && slices.Equal(wordsOf(cell), wordsOf(row[next])) || next < len(row) && strings.Contains(" "+strings.Join(wordsOf(cell), " ")+" ", " "+strings.Join(wordsOf(row[next]), " ")+" ") {
			next++
		}
	}
	return next == len(row)
}

// JudgePicture compares a picture with the colours of its file: the middle of each quarter, as it looks on white.
func JudgePicture(truth Colours, m image.Image, notes []string, tolerance int) Verdict {
	var v Verdict
	b := m.Bounds()
	if b.Dx() != truth.Width || b.Dy() != truth.Height {
		v.Faults = append(v.Faults, Fault{"size", fmt.Sprintf("%dx%d for %dx%d", b.Dx(), b.Dy(), truth.Width, truth.Height)})
		return v
	}
	if truth.Animated && !slices.ContainsFunc(notes, func(note string) bool { return strings.HasPrefix(note, "truncated") }) {
		v.Faults = append(v.Faults, Fault{"missing", "the other pictures of an animation"})
	}
	for i, want := range truth.Quarters {
		x, y := b.Min.X+b.Dx()/4+i%2*b.Dx()/2, b.Min.Y+b.Dy()/4+i/2*b.Dy()/2
		r, g, bl, a := m.At(x, y).RGBA()
		got := [3]int{}
		for k, c := range []uint32{r, g, bl} { // premultiplied: what is missing is white
			got[k] = int((c + 0xffff - a) >> 8)
		}
		for k, c := range []uint8{want.R, want.G, want.B} {
			onWhite := (int(c)*int(want.A) + 255*(255-int(want.A))) / 255
			if d := got[k] - onWhite; d > tolerance || d < -tolerance {
				fault := Fault{"colour", fmt.Sprintf("quarter %d is %v on white for %v", i+1, got, want)}
				if want.A != 255 && want.A != 0 && slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, "transparen") }) {
					v.Excused = append(v.Excused, fault)
				} else {
					v.Faults = append(v.Faults, fault)
				}
				break
			}
		}
	}
	return v
}

// Lost are the words that at least two witnesses find in a source and that an output lacks.
func Lost(witnesses []string, output string) []string {
	seen := map[string]int{}
	var order []string
	for _, text := range witnesses {
		mine := map[string]bool{}
		for _, word := range wordsOf(text) {
			word = norm.NFKC.String(word)
			if !mine[word] {
				mine[word] = true
				if seen[word]++; seen[word] == 2 {
					order = append(order, word)
				}
			}
		}
	}
	shown := map[string]bool{}
	for _, word := range wordsOf(output) {
		shown[norm.NFKC.String(word)] = true
	}
	return slices.DeleteFunc(order, func(word string) bool { return shown[word] })
}

// NamesALoss reports whether a note is about something that is not in the output.
func NamesALoss(note string) bool {
	for _, words := range []string{"left out", "not in the", "not carried", "are not kept", "was cut", "first was converted", "first sheet"} {
		if strings.Contains(note, words) && !strings.HasPrefix(note, "layout_degraded") {
			return true
		}
	}
	return strings.HasPrefix(note, "truncated")
}
