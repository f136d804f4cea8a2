; A trie with struct key and value, a per-CPU array and a ring buffer in one object, and variables in .rodata, .data and .bss.
target triple = "bpfel"

@routes = dso_local global { ptr, ptr, ptr, ptr, ptr } zeroinitializer, section ".maps", align 8, !dbg !40
@counts = dso_local global { ptr, ptr, ptr, ptr } zeroinitializer, section ".maps", align 8, !dbg !44
@events = dso_local global { ptr, ptr } zeroinitializer, section ".maps", align 8, !dbg !48
@TABLE = dso_local externally_initialized constant i32 254, align 4, !dbg !60
@RATIO = dso_local global i32 100, align 4, !dbg !62
@SEEN = dso_local global i64 0, align 8, !dbg !64
@_license = dso_local constant [4 x i8] c"GPL\00", section "license", align 1

define dso_local i32 @program(ptr %ctx) nounwind "no-builtins" section "lwt_seg6local" !dbg !10 {
entry:
  %key = alloca [20 x i8], align 8
  store i64 128, ptr %key, align 8, !dbg !15
  %rest = getelementptr i8, ptr %key, i64 8, !dbg !15
  store i64 0, ptr %rest, align 8, !dbg !15
  %last = getelementptr i8, ptr %key, i64 16, !dbg !15
  store i32 0, ptr %last, align 8, !dbg !15
  %route = call ptr inttoptr (i64 1 to ptr)(ptr @routes, ptr %key), !dbg !15
  %none = icmp eq ptr %route, null, !dbg !15
  br i1 %none, label %out, label %found, !dbg !15
found:
  %index = load i32, ptr %route, align 4, !dbg !15
  store i32 %index, ptr %key, align 8, !dbg !15
  %count = call ptr inttoptr (i64 1 to ptr)(ptr @counts, ptr %key), !dbg !15
  %beyond = icmp eq ptr %count, null, !dbg !15
  br i1 %beyond, label %out, label %counted, !dbg !15
counted:
  %seen = atomicrmw add ptr @SEEN, i64 1 monotonic, !dbg !15
  %old = load i64, ptr %count, align 8, !dbg !15
  %new = add i64 %old, 1, !dbg !15
  store i64 %new, ptr %count, align 8, !dbg !15
  %event = call ptr inttoptr (i64 131 to ptr)(ptr @events, i64 8, i64 0), !dbg !15
  %full = icmp eq ptr %event, null, !dbg !15
  br i1 %full, label %out, label %submit, !dbg !15
submit:
  store i64 %new, ptr %event, align 8, !dbg !15
  call void inttoptr (i64 132 to ptr)(ptr %event, i64 0), !dbg !15
  br label %out, !dbg !15
out:
  %table = load i32, ptr @TABLE, align 4, !dbg !15
  %ratio = load volatile i32, ptr @RATIO, align 4, !dbg !15
  %same = icmp eq i32 %table, %ratio, !dbg !15
  %verdict = select i1 %same, i32 2, i32 0, !dbg !15
  ret i32 %verdict, !dbg !15
}

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!1, !2}
!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !3, isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, globals: !{!40, !44, !48, !60, !62, !64})
!1 = !{i32 7, !"Dwarf Version", i32 5}
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !DIFile(filename: "functions/f.py", directory: "", source: "one\0A")
!4 = !DICompositeType(tag: DW_TAG_structure_type, name: "__sk_buff", file: !3, size: 1536, elements: !{})
!5 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !4, size: 64)
!6 = !DIBasicType(name: "int", size: 32, encoding: DW_ATE_signed)
!7 = !DIBasicType(name: "unsigned int", size: 32, encoding: DW_ATE_unsigned)
!8 = !DIBasicType(name: "unsigned long long", size: 64, encoding: DW_ATE_unsigned)
!9 = !DIBasicType(name: "unsigned char", size: 8, encoding: DW_ATE_unsigned_char)

!10 = distinct !DISubprogram(name: "program", scope: !3, file: !3, line: 1, type: !11, scopeLine: 1, flags: DIFlagPrototyped, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !12)
!11 = !DISubroutineType(types: !{!6, !5})
!12 = !{!13}
!13 = !DILocalVariable(name: "ctx", arg: 1, scope: !10, file: !3, line: 1, type: !5)
!15 = !DILocation(line: 1, column: 1, scope: !10)

; Numbers of a definition: pointers to arrays of so many.
!20 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 352, elements: !{!DISubrange(count: 11)}), size: 64)
!21 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 192, elements: !{!DISubrange(count: 6)}), size: 64)
!22 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 864, elements: !{!DISubrange(count: 27)}), size: 64)
!23 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 512, elements: !{!DISubrange(count: 16)}), size: 64)
!24 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 32, elements: !{!DISubrange(count: 1)}), size: 64)
!25 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 131072, elements: !{!DISubrange(count: 4096)}), size: 64)

!30 = !DICompositeType(tag: DW_TAG_structure_type, name: "prefix", file: !3, size: 160, elements: !{!31, !32})
!31 = !DIDerivedType(tag: DW_TAG_member, name: "length", baseType: !7, size: 32, offset: 0)
!32 = !DIDerivedType(tag: DW_TAG_member, name: "address", baseType: !33, size: 128, offset: 32)
!33 = !DICompositeType(tag: DW_TAG_array_type, baseType: !9, size: 128, elements: !{!DISubrange(count: 16)})
!34 = !DICompositeType(tag: DW_TAG_structure_type, name: "route", file: !3, size: 32, elements: !{!35})
!35 = !DIDerivedType(tag: DW_TAG_member, name: "index", baseType: !7, size: 32, offset: 0)
!36 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !30, size: 64)
!37 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !34, size: 64)
!38 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !7, size: 64)
!39 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !8, size: 64)

!40 = !DIGlobalVariableExpression(var: !41, expr: !DIExpression())
!41 = distinct !DIGlobalVariable(name: "routes", scope: !0, file: !3, line: 1, type: !42, isLocal: false, isDefinition: true)
!42 = distinct !DICompositeType(tag: DW_TAG_structure_type, file: !3, size: 320, elements: !{!50, !51, !52, !53, !54})
!44 = !DIGlobalVariableExpression(var: !45, expr: !DIExpression())
!45 = distinct !DIGlobalVariable(name: "counts", scope: !0, file: !3, line: 1, type: !46, isLocal: false, isDefinition: true)
!46 = distinct !DICompositeType(tag: DW_TAG_structure_type, file: !3, size: 256, elements: !{!55, !56, !57, !58})
!48 = !DIGlobalVariableExpression(var: !49, expr: !DIExpression())
!49 = distinct !DIGlobalVariable(name: "events", scope: !0, file: !3, line: 1, type: !59, isLocal: false, isDefinition: true)
!50 = !DIDerivedType(tag: DW_TAG_member, name: "type", baseType: !20, size: 64, offset: 0)
!51 = !DIDerivedType(tag: DW_TAG_member, name: "max_entries", baseType: !23, size: 64, offset: 64)
!52 = !DIDerivedType(tag: DW_TAG_member, name: "map_flags", baseType: !24, size: 64, offset: 128)
!53 = !DIDerivedType(tag: DW_TAG_member, name: "key", baseType: !36, size: 64, offset: 192)
!54 = !DIDerivedType(tag: DW_TAG_member, name: "value", baseType: !37, size: 64, offset: 256)
!55 = !DIDerivedType(tag: DW_TAG_member, name: "type", baseType: !21, size: 64, offset: 0)
!56 = !DIDerivedType(tag: DW_TAG_member, name: "max_entries", baseType: !23, size: 64, offset: 64)
!57 = !DIDerivedType(tag: DW_TAG_member, name: "key", baseType: !38, size: 64, offset: 128)
!58 = !DIDerivedType(tag: DW_TAG_member, name: "value", baseType: !39, size: 64, offset: 192)
!59 = distinct !DICompositeType(tag: DW_TAG_structure_type, file: !3, size: 128, elements: !{!70, !71})
!70 = !DIDerivedType(tag: DW_TAG_member, name: "type", baseType: !22, size: 64, offset: 0)
!71 = !DIDerivedType(tag: DW_TAG_member, name: "max_entries", baseType: !25, size: 64, offset: 64)

!60 = !DIGlobalVariableExpression(var: !61, expr: !DIExpression())
!61 = distinct !DIGlobalVariable(name: "TABLE", scope: !0, file: !3, line: 1, type: !66, isLocal: false, isDefinition: true)
!62 = !DIGlobalVariableExpression(var: !63, expr: !DIExpression())
!63 = distinct !DIGlobalVariable(name: "RATIO", scope: !0, file: !3, line: 1, type: !67, isLocal: false, isDefinition: true)
!64 = !DIGlobalVariableExpression(var: !65, expr: !DIExpression())
!65 = distinct !DIGlobalVariable(name: "SEEN", scope: !0, file: !3, line: 1, type: !8, isLocal: false, isDefinition: true)
!66 = !DIDerivedType(tag: DW_TAG_const_type, baseType: !67)
!67 = !DIDerivedType(tag: DW_TAG_volatile_type, baseType: !7)
