package libreoffice

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// mathPackage is what draws formulas; LibreOffice leaves them blank without it, and says nothing.
const mathPackage = "libreoffice-math-nogui"

// hasMath reports whether formulas are drawn. Where the layout of the installation is not known they are taken to be.
func hasMath() bool {
	found, err := exec.LookPath(soffice)
	if err != nil {
		return true
	}
	if found, err = filepath.EvalSymlinks(found); err != nil {
		return true
	}
	dir := filepath.Dir(found)
	if _, err := os.Stat(filepath.Join(dir, "soffice.bin")); err != nil {
		return true
	}
	_, err = os.Stat(filepath.Join(dir, "libsmlo.so"))
	return err == nil
}

// unseen are things of a document that LibreOffice leaves out without a word, counted in its parts.
type unseen struct {
	formulas, speakerNotes, hiddenSlides, slideComments, hiddenSheets, cellComments, chunks, macros int

	drawnTexts   int  // as shapes, such as watermarks
	conditionals int  // fields that show one of two texts
	raised       bool // superscripts or subscripts
}

var (
	hiddenSlide  = regexp.MustCompile(`<p:sld\s[^>]*show="(0|false)"`)
	hiddenSheet  = regexp.MustCompile(`<(?:\w+:)?sheet\s[^>]*state="(?:hidden|veryHidden)"`)
	raisedInODF  = regexp.MustCompile(`text-position="-?(?:super|sub|[1-9])`)
	raisedInRTF  = regexp.MustCompile(`\\(?:super|sub|up[1-9]|dn[1-9])`)
	drawnText    = regexp.MustCompile(`<v:textpath[\s/>]`)
	conditional  = regexp.MustCompile(`(?:<w:instrText(?:\s[^>]*)?>|<w:fldSimple\s[^>]*w:instr=")\s*IF[\s<]`)
	commentInXML = regexp.MustCompile(`<(?:\w+:)?(?:cm|comment|threadedComment)\s`)
)

// look counts. What cannot be read is refused elsewhere.
func look(document, source string) unseen {
	var found unseen
	if source == "rtf" {
		if data, err := os.ReadFile(document); err == nil { //nolint:gosec // paths of our own
			found.raised = raisedInRTF.Match(data)
			found.formulas = bytes.Count(data, []byte(`\mmath`))
		}
		return found
	}
	if scratch.IsFlat(document) {
		if data, err := os.ReadFile(document); err == nil { //nolint:gosec // paths of our own
			found.part("content.xml", data)
		}
		return found
	}
	in, err := zip.OpenReader(document)
	if err != nil {
		return found
	}
	defer in.Close() //nolint:errcheck // read only
	for _, file := range in.File {
		if strings.EqualFold(filepath.Base(file.Name), "vbaProject.bin") {
			found.macros++
		}
		if strings.HasSuffix(file.Name, ".xml") {
			if part, err := read(file, maxPart); err == nil {
				found.part(file.Name, part)
			}
		}
	}
	return found
}

func (u *unseen) part(name string, part []byte) {
	u.formulas += bytes.Count(part, []byte("<m:oMath>")) + bytes.Count(part, []byte("<m:oMath "))
	u.chunks += bytes.Count(part, []byte("<w:altChunk "))
	u.drawnTexts += len(drawnText.FindAll(part, -1))
	u.conditionals += len(conditional.FindAll(part, -1))
	u.raised = u.raised || raisedInODF.Match(part)
	switch {
	case name == "META-INF/manifest.xml":
		u.formulas += bytes.Count(part, []byte(`"application/vnd.oasis.opendocument.formula"`))
	case strings.HasPrefix(name, "ppt/notesSlides/notes"):
		u.speakerNotes++
	case strings.HasPrefix(name, "ppt/slides/slide"):
		u.hiddenSlides += len(hiddenSlide.FindAll(part, -1))
	case strings.HasPrefix(name, "ppt/comments/"):
		u.slideComments += len(commentInXML.FindAll(part, -1))
	case name == "xl/workbook.xml":
		u.hiddenSheets += len(hiddenSheet.FindAll(part, -1))
	case strings.HasPrefix(name, "xl/comments"), strings.HasPrefix(name, "xl/threadedComments/"):
		u.cellComments += len(commentInXML.FindAll(part, -1))
	}
}

// notes name what of this is not in the output.
func (u unseen) notes(target string, math bool) []string {
	var out []string
	say := func(n int, format string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("best_effort: "+format, n, target))
		}
	}
	say(u.macros, "%d sets of macros are not in the %s")
	say(u.chunks, "%d documents that are embedded as parts of the text (altChunk) are not in the %s")
	say(u.drawnTexts, "%d texts that are drawn as shapes (watermarks, WordArt) may be missing in the %s")
	say(u.conditionals, "%d conditional fields (IF) are computed again by LibreOffice, and may show something else in the %s")
	switch target {
	case "pdf":
		say(u.speakerNotes, "the speaker's notes of %d slides are not in the %s")
		say(u.hiddenSlides, "%d hidden slides are not in the %s")
		say(u.slideComments, "%d comments on slides are not in the %s")
		say(u.hiddenSheets, "%d hidden sheets are not in the %s")
		say(u.cellComments, "%d comments on cells are not in the %s")
	case "txt":
		say(u.formulas, "%d formulas are not in the %s")
		if u.raised {
			out = append(out, "best_effort: raised and lowered characters stand as plain ones: 10⁶ is 106 in the txt")
		}
		return out
	}
	if !math {
		say(u.formulas, "%d formulas are blank in the %s; LibreOffice draws them where "+mathPackage+" is installed")
	}
	return out
}
