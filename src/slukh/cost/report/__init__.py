"""The cost report: the same blocks in English or Russian, as Markdown or as one page of HTML.

findings -> sections -> blocks -> Markdown | HTML
               |          `- plots (matplotlib, SVG)
               `- catalogue (cost/texts)
"""
