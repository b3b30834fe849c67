package engines

import "github.com/convilyn/convilyn-temporal/client/option"

// Sheet is a page to print on, in millimetres.
type Sheet struct {
	Width, Height            float64
	Top, Right, Bottom, Left float64 // margins
}

// leastPrinted is what margins must leave of a page, in millimetres.
const leastPrinted = 30

// SheetOf is the page that options ask for: A4, upright, with the same margin at all edges where they do not say.
func SheetOf(options option.Values, margin float64) (Sheet, error) {
	paper := options[option.NamePaper]
	if paper == "" {
		paper = "A4"
	}
	s := Sheet{Top: margin, Right: margin, Bottom: margin, Left: margin}
	s.Width, s.Height = option.PaperSize(paper)
	if options[option.NameLandscape] == "true" && s.Height > s.Width {
		s.Width, s.Height = s.Height, s.Width
	}
	if margins := options[option.NameMargins]; margins != "" {
		four := option.FourLengths(margins)
		s.Top, s.Right, s.Bottom, s.Left = four[0], four[1], four[2], four[3]
	}
	if s.Width-s.Left-s.Right < leastPrinted || s.Height-s.Top-s.Bottom < leastPrinted {
		return s, Errorf(CodeInvalidParameters, "a page of %g x %g mm with these margins leaves less than %d mm to print on", s.Width, s.Height, leastPrinted)
	}
	return s, nil
}
