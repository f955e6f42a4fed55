"""What every report is written with: blocks of text, tables and plots, as Markdown or as one page of HTML."""
