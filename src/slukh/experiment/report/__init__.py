"""The verdict as one page of HTML.

verdict -> sections -> blocks -> page
              `- intervals (matplotlib, SVG)
"""
