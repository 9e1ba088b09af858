; Removing the program leaves what belongs to its user, and says where that is. An update removes, too, and says nothing.
!macro NSIS_HOOK_POSTUNINSTALL
  ${If} $UpdateMode <> 1
    DetailPrint "Settings, vault and history stay in $LOCALAPPDATA\session-roam"
    MessageBox MB_OK|MB_ICONINFORMATION "Your settings, vault and history stay in $LOCALAPPDATA\session-roam$\r$\nRemove that folder if you want them gone. The sessions in the tools themselves are untouched." /SD IDOK
  ${EndIf}
!macroend
